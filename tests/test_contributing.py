"""CONTRIBUTING.md can be followed: what it names is there, signatures are the real ones, its recipes work."""

import importlib
import importlib.util
import inspect
import re
import shlex
import textwrap
from pathlib import Path

import pytest

from svf_helpers.chapters.kit.marking import REGISTER
from svf_helpers.experiments import Result, cli, registry
from tests.marked import Marked

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
EXAMPLES = ("rope", "pocket-gpt2")  # a chapter with a room of every kind, and a bundled model: what NAME may stand for
BLOCK = re.compile(r"^ *(?P<fence>`{3,4})(?P<language>\w+)\n(?P<code>.*?)^ *(?P=fence)$", re.MULTILINE | re.DOTALL)
RECIPES = ("numbers", "figures", "runs", "explorer", "exercises", "test_exercises")


def blocks(language: str) -> list[str]:
    return [textwrap.dedent(found["code"]) for found in BLOCK.finditer(TEXT) if found["language"] == language]


def spans() -> list[str]:
    """Code in the sentences and tables, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", BLOCK.sub("", TEXT))]


def commands() -> list[list[str]]:
    """Every command line, word by word; ``a && b`` are two."""
    lines = [line for block in blocks("bash") for line in block.splitlines()] + spans()
    starts = ("python ", "pytest", "ruff ", "jupyter-book ", "pip ", "pre-commit ")
    parts = (part.strip() for line in lines for part in line.split("&&"))
    return [shlex.split(part) for part in parts if part.startswith(starts)]


def is_there(path: str) -> bool:
    """Whether the path exists in the repository; for one with a placeholder, whether an example's does."""
    named = {re.sub(r"\b(NAME|trial)\b", example, path) for example in EXAMPLES}
    return any((ROOT / name).exists() for name in named)


def test_it_is_read_as_it_is_meant():
    """What the other tests rest on."""
    assert "book/NAME.md" in spans()
    assert ["pytest", "-n", "0", "tests/test_house.py"] in commands()
    assert len(blocks("python")) == len(RECIPES)
    assert is_there("book/NAME.ipynb")
    assert not is_there("book/notebooks.py")


def test_paths_exist():
    paths = {span for span in spans() if re.fullmatch(r"[\w./-]*(/|\.(py|md|yml|ipynb|toml|txt))", span)}
    assert len(paths) > 20
    rooms = {f"svf_helpers/chapters/NAME/{path}" if re.fullmatch(r"[a-z]+\.py", path) else path for path in paths}
    assert sorted(path for path in rooms if not is_there(path)) == []


def test_commands_can_be_given():
    wrong = []
    for program, *rest in commands():
        options = [word for word in rest if word.startswith("--")]
        if program == "pytest":
            wrong += [word for word in rest if "/" in word and not is_there(word)]
        elif program == "python" and rest[0] == "-m":
            if importlib.util.find_spec(rest[1]) is None:
                wrong.append(rest[1])
            elif rest[1] == "svf_helpers.experiments":
                cli._parser().parse_args(rest[2:])  # it ends the program where the line is wrong
            elif rest[1].startswith("svf_helpers."):
                source = inspect.getsource(importlib.import_module(f"{rest[1]}.__main__"))
                wrong += [word for word in [rest[2], *options] if f'"{word}"' not in source]
        elif program == "python":
            source = (ROOT / rest[0]).read_text(encoding="utf8")
            wrong += [word for word in options if f'"{word}"' not in source]
    assert wrong == []


def test_install_and_build_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    assert "(CONTRIBUTING.md)" in readme
    for line in ("git clone ", "pip install -r ", "jupyter-book build "):
        told = [found for found in re.findall(rf"{line}[^\n`]*", TEXT)]
        assert told
        assert [command for command in told if command not in readme] == []


def test_names_are_real_and_signatures_complete():
    seen = 0
    for span in spans():
        found = re.fullmatch(r"(svf_helpers(?:\.\w+)*)\.(\w+)\((.*)\)", span)
        if not found:
            continue
        seen += 1
        value = getattr(importlib.import_module(found[1]), found[2])
        told = [name.strip(" *") for name in found[3].split(",") if name.strip() != "*"]
        assert told == list(inspect.signature(value).parameters), span
    assert seen > 5


def test_names_stand_in_the_files_that_are_said_to_hold_them():
    pairs = re.findall(r"`(\w+)(?:\(\))?`\s+in\s+`([\w/.]+\.py)`", TEXT)
    assert len(pairs) > 5
    wrong = [pair for pair in pairs if not re.search(rf"\b{pair[0]}\b", (ROOT / pair[1]).read_text(encoding="utf8"))]
    assert wrong == []


def test_other_names_are_defined_somewhere():
    """Constants and functions that a sentence mentions by their bare name, in the package, in the tests or here."""
    names = re.compile(r"_?[a-z]+(_[a-z]+)+(\(\))?|_[a-z]+|[A-Z]{4,}")
    named = {span.removesuffix("()") for span in spans() if names.fullmatch(span)}
    assert len(named) > 8
    files = [path for place in ("svf_helpers", "tests") for path in (ROOT / place).rglob("*.py")]
    defined = "\n".join(path.read_text(encoding="utf8") for path in files) + "\n".join(blocks("python"))
    assert [name for name in sorted(named) if not re.search(rf"(def |^){name}\b", defined, re.MULTILINE)] == []


def test_what_cells_of_the_text_import_is_there():
    lines = re.findall(r"^ *from (svf_helpers\S*) import (.+)$", "\n".join(blocks("md")), re.MULTILINE)
    assert len(lines) > 3
    for module, names in lines:
        if ".trial." not in module:
            there = importlib.import_module(module)
            assert [name for name in names.split(", ") if not hasattr(there, name)] == []


@pytest.fixture
def recipes(monkeypatch):
    """The recipes' code, executed: name -> what it defines. Nothing stays registered."""
    monkeypatch.setattr(registry, "EXPERIMENTS", {})
    before = REGISTER.pop("trial-plane", None)
    defined = {}
    try:
        for name, code in zip(RECIPES, blocks("python"), strict=True):
            defined[name] = {"__name__": f"recipe.{name}"}
            exec(compile(code, f"CONTRIBUTING.md: {name}", "exec"), defined[name])
        yield defined
    finally:
        REGISTER.pop("trial-plane", None)
        if before:
            REGISTER["trial-plane"] = before


def test_the_experiment_runs_and_gives_the_numbers(recipes, tmp_path):
    run = registry.EXPERIMENTS["trial"].run
    arrays, config = run(scale="quick", device="cpu", progress=False, workdir=tmp_path)
    result = Result(arrays, {"scale": "quick", "seeds": config["seeds"], "config": config})
    assert recipes["figures"]["chance"](result).axes[0].lines[0].get_xdata().tolist() == result["d"].tolist()
    found = recipes["numbers"]["numbers"](result)
    assert set(re.findall(r"\{glue:text\}`([\w-]+)`", TEXT)) <= set(found)
    in_the_plane = arrays["summary_best"][0]
    assert in_the_plane == pytest.approx(0.9003, abs=0.005)  # the mean of max(|cos|, |sin|): 2 sqrt(2) / pi
    assert found["largest"] == "64"


def test_the_explorer_explores(recipes):
    explorer = recipes["explorer"]["turned_frames"]()
    assert len(explorer.to_html()) < 200_000
    assert explorer.frame(angle=90)["say-cosine"]["text"] == "0.00"


def test_the_exercise_is_marked(recipes, capsys):
    answers = recipes["test_exercises"]["TestPlane"]()
    assert isinstance(answers, Marked)
    answers.test_right_answers_are_right_in_every_wrapping(capsys)
    answers.test_each_mistake_is_recognised(capsys)
    answers.test_general_mistakes_are_named_and_others_get_a_hint_all_the_same(capsys)
    answers.test_nothing_that_is_handed_in_breaks_it()
    answers.test_no_wrong_answer_gets_the_right_one_out_of_it()
    answers.test_a_near_miss_is_a_miss()
