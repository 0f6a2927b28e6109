"""The reference shows one example for each function and class, and the doctests run it."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import svf_helpers

PAGES = Path(__file__).resolve().parent.parent / "book" / "api"
DIRECTIVE = re.compile(r"^\.\. automodule:: (?P<module>\S+)\n {3}:members:(?P<only>.*)$", re.MULTILINE)


def all_modules() -> list[str]:
    found = pkgutil.walk_packages(svf_helpers.__path__, "svf_helpers.")
    return ["svf_helpers", *(module.name for module in found if not module.name.endswith("__main__"))]


def documented() -> dict[str, list[str]]:
    """Modules of the reference, with the names that their page was asked for; none means all public ones."""
    text = "\n".join(page.read_text(encoding="utf8") for page in sorted(PAGES.glob("*.md")))
    sections = {found["module"]: re.findall(r"\w+", found["only"]) for found in DIRECTIVE.finditer(text)}
    assert len(sections) == text.count("automodule::"), "a directive on a page is not of the form read here"
    return sections


def members(module_name: str, only: list[str] = ()) -> dict[str, object]:
    """Functions and classes that the page shows of a module, as autodoc chooses them."""
    module = importlib.import_module(module_name)
    names = only or getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module_name
    ]
    values = {name: getattr(module, name) for name in names}
    return {name: value for name, value in values.items() if inspect.isroutine(value) or inspect.isclass(value)}


def has_example(value: object) -> bool:
    """Whether the docstring begins its examples with one that is run and works: what it refuses comes after that."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(value) or "")
    shown = [example for example in examples if example.want]
    skipped = any(example.options.get(doctest.SKIP) for example in examples)
    works = bool(shown) and shown[0].exc_msg is None and "._fields" not in shown[0].source
    return bool(examples) and not skipped and (works or not shown)


def public_methods(cls: type) -> dict[str, object]:
    """What a reader may call on an object of the class, other than what Python generates for dataclasses and tuples."""
    kinds = (property, classmethod, staticmethod)
    return {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds))
    }


SHOWN = documented()


def test_the_page_names_modules_of_the_package():
    assert set(SHOWN) <= set(all_modules())
    assert {"svf_helpers.features", "svf_helpers.qk", "svf_helpers.toy", "svf_helpers.theory"} <= set(SHOWN)


@pytest.mark.parametrize("module_name", SHOWN)
def test_every_function_and_class_on_the_page_has_an_example(module_name):
    shown = members(module_name, SHOWN[module_name])
    assert shown, f"the page shows nothing of {module_name}"
    assert [name for name, value in shown.items() if not has_example(value)] == []


@pytest.mark.parametrize("module_name", SHOWN)
def test_methods_on_the_page_say_what_they_do(module_name):
    """Autodoc leaves out, without a word, what has no docstring."""
    classes = [value for value in members(module_name, SHOWN[module_name]).values() if inspect.isclass(value)]
    silent = [f"{cls.__name__}.{name}" for cls in classes for name, m in public_methods(cls).items() if not m.__doc__]
    assert silent == []


def test_examples_on_the_page_are_collected_where_they_are_defined():
    """Doctest looks at the module that defines a function, so that module has to be part of the package."""
    known = set(all_modules())
    homes = {value.__module__ for name, only in SHOWN.items() for value in members(name, only).values()}
    assert homes <= known


def test_an_example_counts_only_if_it_is_run_and_works():
    def shown():
        """Text.

        >>> 1 + 1
        2
        """

    def skipped():
        """Text.

        >>> 1 + 1  # doctest: +SKIP
        3
        """

    def promised():
        """Text with >>> in it and no example."""

    def refuses():
        """Text.

        >>> int("a")
        Traceback (most recent call last):
        ...
        ValueError: invalid literal for int() with base 10: 'a'
        """

    assert [has_example(f) for f in (shown, skipped, promised, refuses)] == [True, False, False, False]
