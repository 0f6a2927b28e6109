"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from fractions import Fraction

from svf_helpers.chapters.superposition.exercises import check
from tests.marked import Marked


class TestForget(Marked):
    name = "superposition-forget"
    right = [4 / 7, Fraction(4, 7), 0.571, 0.57]
    rows = [[4], [0]]
    general = {"reciprocal": [1.75], "percent": [400 / 7], "factor": [2 / 7]}
    otherwise = [0.3, -3.0]
    secrets = [4 / 7, 0.57, 1.75]

    def test_what_is_no_probability_is_told_so(self):
        assert check(self.name, -3.0).message == check(self.name, 1.2).message != check(self.name, 0.3).message
