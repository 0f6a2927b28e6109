"""What the tests of every exercise assert: right answers pass, each mistake is recognised, no message has the answer.

A chapter's ``test_exercises.py`` holds one class for each exercise, which says the answers; the tests are inherited.
"""

import re
from fractions import Fraction

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svf_helpers.chapters.kit.check import Mark, check
from svf_helpers.chapters.kit.marking import GENERAL, REGISTER
from svf_helpers.chapters.kit.rooms import modules

modules("exercises")  # importing them registers their checkers

ODD = [None, ..., "0.5", "", b"x", True, False, {}, {1.0}, object(), [], [[]], [1, [2, 3]], ["a"], 1j, [1j], print,
       np.array(["a"]), torch.tensor([True]), torch.tensor([1j]), float("nan"), float("inf"), [float("nan"), 1.0],
       10**400, np.zeros((0, 3)), torch.zeros(2, 3, 4), torch.full((2, 2), torch.inf), torch.empty(2, device="meta"),
       np.array(None), torch.eye(2).to_sparse(), 0, 1, -1, 2.0, 1e300, -1e-300, [1, 1], np.ones(3), [[1.0]],
       torch.eye(2), torch.eye(3), np.zeros((2, 2)), 1e-320 * torch.ones(4, dtype=torch.float64), torch.ones(3, 2),
       list(range(4))]  # fmt: skip
ANYTHING = st.recursive(
    st.floats() | st.integers() | st.none() | st.text(), lambda part: st.lists(part, max_size=4), max_leaves=8
)


class Marked:
    """Answers to the exercise ``name``.

    ``right`` are right. ``rows`` are wrong: one list of answers for each row of the exercise's table of mistakes, in
    its order, or, where a function judges, for each mistake that has a message of its own. ``general`` holds those that
    show a general mistake, by its kind, and ``otherwise`` those that show none. No message may hold a number of
    ``secrets``.
    """

    name: str
    right: list
    rows: list[list]
    general: dict[str, list] = {}
    otherwise: list = []
    secrets: list = []
    table = None  # of a function that judges by one

    def test_right_answers_are_right_in_every_wrapping(self, capsys):
        for answer in self.right:
            mark = check(self.name, answer)
            assert mark == Mark(self.name, True, REGISTER[self.name].praise), mark.message
            assert capsys.readouterr().out == f"Right: {mark.message}\n"
            self.assert_silent(answer, mark.message)
        if callable(self.right[0]):
            return
        values = as_tensor(self.right[0])
        for wrapped in (values, values.numpy(), values.tolist(), values.float(), values.clone().requires_grad_()):
            assert check(self.name, wrapped)
        if values.ndim:
            assert check(self.name, [row.numpy() for row in values])
            assert check(self.name, values.flip(0).numpy()[::-1])
        else:
            assert check(self.name, [values])

    def test_each_mistake_is_recognised(self, capsys):
        entry = REGISTER[self.name]
        table = self.table or entry.mistakes
        if not table:
            said = [{self.wrong(answer, capsys) for answer in row} for row in self.rows]
            assert all(len(messages) == 1 for messages in said), said
            assert len(set.union(*said)) == len(said), "two mistakes get one message"
            return
        assert len(self.rows) == len(table), "every row of the table is tried"
        assert len({hint for _, hint in table} | {entry.otherwise}) == len(table) + 1, "two mistakes get one hint"
        for answers, (_, hint) in zip(self.rows, table, strict=True):
            assert answers
            for answer in answers:
                assert self.wrong(answer, capsys) == (hint(answer) if callable(hint) else hint), answer

    def test_general_mistakes_are_named_and_others_get_a_hint_all_the_same(self, capsys):
        for kind, answers in self.general.items():
            for answer in answers:
                assert self.wrong(answer, capsys) == GENERAL[kind], answer
        entry = REGISTER[self.name]
        for answer in self.otherwise:
            hint = entry.otherwise(answer) if callable(entry.otherwise) else entry.otherwise
            assert self.wrong(answer, capsys) == hint, answer

    def test_nothing_that_is_handed_in_breaks_it(self):
        for answer in ODD:
            mark = check(self.name, answer)
            assert not mark, answer
            assert mark.message.strip().endswith((".", "?"))
            assert "\n" not in mark.message
            self.assert_silent(answer, mark.message)

    def test_no_wrong_answer_gets_the_right_one_out_of_it(self):
        for answer in self.right:
            for wrong in [] if callable(answer) else neighbours(as_tensor(answer)):
                self.assert_silent(wrong, check(self.name, wrong).message)

    @settings(max_examples=25, deadline=None, derandomize=True, database=None,
              suppress_health_check=[HealthCheck.differing_executors])  # one test, inherited by many classes
    @given(ANYTHING)
    def test_arbitrary_answers_are_marked_in_silence(self, answer):
        self.assert_silent(answer, check(self.name, answer).message)

    def test_a_near_miss_is_a_miss(self):
        if REGISTER[self.name].form.words == "one number":
            for factor in (0.95, 1.05):
                assert not check(self.name, factor * float(self.right[0]))

    def wrong(self, answer, capsys) -> str:
        """What is said to a wrong answer."""
        capsys.readouterr()
        mark = check(self.name, answer)
        assert not mark, answer
        assert capsys.readouterr().out == f"Not yet: {mark.message}\n"
        self.assert_silent(answer, mark.message)
        return mark.message

    def assert_silent(self, answer, message: str) -> None:
        """No message holds the answer, or a number from which it can be read off."""
        for shown in numbers_in(message):
            for secret in self.secrets:
                assert abs(shown - abs(secret)) > 2e-3 * abs(secret), f"it says {shown} to {answer!r}: {message}"


def as_tensor(answer) -> torch.Tensor:
    return torch.as_tensor(float(answer) if isinstance(answer, Fraction) else answer, dtype=torch.float64)


def numbers_in(text: str) -> list[float]:
    """Every number in a text, fractions as their value too; shapes say nothing of values."""
    text = re.sub(r"shape \([^)]*\)", "", text)
    found = re.findall(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?", text)
    shares = [float(a) / float(b) for a, b in re.findall(r"(\d+\.?\d*)\s*/\s*(\d+\.?\d*)", text) if float(b)]
    return [abs(float(number)) for number in found] + shares


def neighbours(x: torch.Tensor):
    """Wrong answers made from a right one: the family in which a careless message would give the answer away."""
    yield from (-x, 2 * x, x / 2, x / 3, 10 * x, x.square(), x.abs().sqrt(), 1 / x.where(x != 0, 1), x + 1)
    yield from (x - 0.05, x * 1.03, x * 1.002, x * 0.97, x[None], x.flatten()[:1])
    if x.ndim:
        yield from (x.flip(0), x.movedim(0, -1))
    yield from (x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(s)) for s in range(5))
