"""The exercise of the chapter on notation that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric, outside

__all__ = ["check"]

numeric(
    "notation-chance",
    asks="How large is the best |cos| of one feature with ten orthonormal vectors in ten dimensions, at least?",
    answer=10**-0.5,
    praise="squared cosines with an orthonormal basis sum to 1, and the largest is at least their mean.",
    tolerance=0.015,
    apart=1e-3,
    mistakes=[
        (outside(-1, 1), "a cosine lies between -1 and 1."),
        (0, "it cannot be 0: a basis of the whole space leaves no direction out."),
        (0.1, "that is the mean of the squared cosines; asked is a cosine."),
    ],
    otherwise="not it: what do the squared cosines with an orthonormal basis sum to?",
)
