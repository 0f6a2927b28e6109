"""The exercise of the chapter on the whitened basis that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric, outside

__all__ = ["check"]


def _share(a: float, b: float) -> float:
    """The first of two terms' share of the mean square, from their singular values."""
    return a**2 / (a**2 + b**2)


# One QK matrix diag(3, 2); queries with second moment diag(1, 16), keys with covariance diag(1, 1/4).
_KEPT = _share(2 * 4 * 0.5, 3)

numeric(
    "whitened-share",
    asks="QK matrix diag(3, 2), E[qqᵀ] = diag(1, 16), cov(k) = diag(1, 1/4): which share of the mean squared relative "
    "score does the best single term keep?",
    answer=_KEPT,
    praise="and it is not the term with the larger plain singular value.",
    tolerance=2e-3,
    mistakes=[
        (outside(0, 1), "a share lies between 0 and 1."),
        (1 - _KEPT, "that is what the other term keeps (or what is lost)."),
        (_share(3, 2), "those are the plain singular values: how long queries and keys are is not in them."),
        (_share(2 * 16 * 0.25, 3), "whiten with the root of each second moment (and both sides: the keys, too)."),
        (4 / 7, "squares: a mean squared score is a sum of squared singular values."),
        (_share(2 * 0.5, 3), "the queries' second moment is missing."),
    ],
    otherwise="not it: write the whitened matrix down; it is diagonal.",
)
