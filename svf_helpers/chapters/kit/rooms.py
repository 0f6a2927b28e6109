"""Which chapters there are, and the modules of one kind that they have: runs, claims, exercises."""

import importlib
from importlib import resources
from types import ModuleType


def rooms() -> list[str]:
    """The chapters that have code of their own, in alphabetical order.

    Example:
        >>> "rope" in rooms(), "kit" in rooms()
        (True, False)
    """
    folder = resources.files("svf_helpers").joinpath("chapters")
    there = (place for place in folder.iterdir() if place.joinpath("__init__.py").is_file())
    return sorted(place.name for place in there if place.name != "kit")


def modules(kind: str) -> list[ModuleType]:
    """Import that module of every chapter that has one, ``svf_helpers.chapters.NAME.kind``.

    Example:
        >>> [module.__name__ for module in modules("exercises")][0]
        'svf_helpers.chapters.anisotropy.exercises'
    """
    folder = resources.files("svf_helpers").joinpath("chapters")
    there = [name for name in rooms() if folder.joinpath(name, f"{kind}.py").is_file()]
    return [importlib.import_module(f"svf_helpers.chapters.{name}.{kind}") for name in there]
