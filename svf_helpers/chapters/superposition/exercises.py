"""The exercise of the chapter on superposition that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric

__all__ = ["check"]


def _not_recognised(answer: float) -> str:
    if not 0 < answer <= 1:
        return "p is a probability: a number between 0 and 1."
    return "not it: set the two expected errors equal and divide by p."


numeric(
    "superposition-forget",
    asks="Above which p is dropping half of the features cheaper than ten antipodal pairs?",
    answer=4 / 7,
    praise="there both cost the same.",
    tolerance=5e-3,
    apart=1e-3,
    mistakes=[
        (4, "check the sign of the term in p squared."),
        (0, "at p = 0 nothing is ever there and both cost nothing: look for the other crossing."),
    ],
    otherwise=_not_recognised,
)
