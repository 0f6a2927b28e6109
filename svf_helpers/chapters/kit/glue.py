"""Numbers and words that a chapter computes and uses in its prose.

``show_numbers(numbers(result))`` in one hidden cell, and ``{glue:text}`best-cosine``` in a sentence of the same
chapter; ``svf_helpers/chapters/NAME/numbers.py`` says what each number is.
The record has the form that the book's builder reads (`myst_nb`), but needs nothing except IPython: the same cell runs
in Colab, where the builder is not installed, and in plain Python, where it does nothing.
"""

import re
from collections.abc import Mapping
from numbers import Integral

__all__ = ["glue", "show_numbers"]

# A record under this prefix is stored in the notebook and shown nowhere.
_PREFIX = "application/papermill.record/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def glue(name: str, value: str | int) -> None:
    """Store ``value`` under ``name`` in the running notebook, for use in its text.

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``; each name once in a chapter.
        value: the words as readers will see them, or a whole number. Any other number has to be formatted first:
            how many digits a sentence should show is the author's decision.

    Raises:
        ValueError: if the name has other signs in it, or the value is neither a non-empty text nor a whole number.

    Outside a notebook it checks its arguments and returns:

    >>> glue("best-cosine", f"{0.98765:.3f}")
    >>> glue("best-cosine", 0.98765)
    Traceback (most recent call last):
    ...
    ValueError: glue('best-cosine'): format the number first, for example glue('best-cosine', f'{value:.3f}'); got float
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"glue: a name is made of letters, digits, '.', '_' and '-', got {name!r}")
    if isinstance(value, str):
        if not value.strip():
            raise ValueError(f"glue({name!r}): the text is empty")
        plain = repr(str(value))  # quotes keep '0.930' a text: unquoted, the builder would read a number and drop the 0
    elif isinstance(value, Integral) and not isinstance(value, bool):
        plain = str(int(value))
    else:
        raise ValueError(
            f"glue({name!r}): format the number first, for example glue({name!r}, f'{{value:.3f}}'); "
            f"got {type(value).__name__}"
        )
    _record(name, plain)


def show_numbers(numbers: Mapping[str, str]) -> None:
    """Store every number of a chapter's prose in the running notebook; see :func:`glue`.

    Args:
        numbers: name -> the words as readers will see them.

    Example:
        >>> show_numbers({"best-cosine": "0.988", "seeds": "10"})  # in a notebook, for its text; elsewhere nothing
    """
    for name, value in numbers.items():
        glue(name, value)


def _record(name: str, plain: str) -> None:
    """Publish the record where a kernel listens; do nothing elsewhere, where it would only be printed."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    metadata = {"scrapbook": {"name": name, "mime_prefix": _PREFIX}}
    display({_PREFIX + "text/plain": plain}, raw=True, metadata=metadata)
