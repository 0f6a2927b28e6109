"""Old names that still work for one release, and say once what the new name is."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import no_type_check

_SAID: set[str] = set()


@no_type_check  # a check of annotations would stand between this function and the caller it points at
def warn_once(old: str, new: str, stacklevel: int = 2) -> None:
    """Warn, the first time that an old name is used, that it is called something else now.

    Args:
        old: the old name, with its module or class.
        new: the new one.
        stacklevel: as for ``warnings.warn``, counted from the caller of this function.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     for _ in range(3):
        ...         warn_once("module.old_name", "new_name")
        >>> [str(warning.message) for warning in told]
        ['module.old_name is now called new_name; the old name will go in the next release']
    """
    if old not in _SAID:
        _SAID.add(old)
        message = f"{old} is now called {new}; the old name will go in the next release"
        warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)


def renamed(module: str, names: dict[str, str]) -> Callable[[str], object]:
    """A module's ``__getattr__`` for names that have changed: the old ones lead to the new ones, with a warning.

    Args:
        module: the module's ``__name__``.
        names: from each old name to the new one, in the same module or, with dots, in another.

    Example:
        >>> import warnings
        >>> look_up = renamed("math", {"circle_constant": "pi"})
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     look_up("circle_constant")
        3.141592653589793
    """

    @no_type_check
    def look_up(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_once(f"{module}.{name}", names[name])
        home, _, new = names[name].rpartition(".")
        return getattr(importlib.import_module(home or module), new)

    return look_up
