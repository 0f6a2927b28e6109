"""Bad input: a test says which kind of error it leads to, and which names and numbers the message has to hold.

The sentence around them may be reworded at any time.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
import pytest


@contextmanager
def unchecked() -> Iterator[None]:
    """The check of annotations at run time, which the tests switch on for the whole package, is off inside."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


@contextmanager
def refuses(kind: type[Exception], *told: object) -> Iterator[pytest.ExceptionInfo]:
    """What happens inside raises an error of this kind, and its message holds everything in ``told``.

    Annotations are not checked inside: that would refuse wrong shapes and types before the package does.
    """
    with unchecked(), pytest.raises(kind) as caught:
        yield caught
    message = str(caught.value)
    assert [word for word in map(str, told) if word not in message] == [], message
