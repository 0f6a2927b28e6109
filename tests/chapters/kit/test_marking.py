"""How answers are read and mistakes recognised; what each exercise makes of them is tested beside its chapter."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from svf_helpers.chapters.kit.answers import Unreadable, number, tensor
from svf_helpers.chapters.kit.check import check, exercises
from svf_helpers.chapters.kit.marking import (
    ANY,
    GENERAL,
    REGISTER,
    checker,
    number_hint,
    numeric,
    parallel,
    same,
    tensor_hint,
)
from tests.conftest import ROOT
from tests.refusals import refuses


def test_every_exercise_is_tried_beside_its_chapter():
    homes = {name: [] for name in exercises()}
    for path in (ROOT / "tests" / "chapters").glob("*/test_exercises.py"):
        for name in re.findall(r'^    name = "(.*)"$', path.read_text(encoding="utf8"), re.MULTILINE):
            homes[name].append(path.parent.name)
    for name, home in homes.items():
        judge = REGISTER[name].judge
        assert len(home) == 1, f"{name}: one class of tests is needed, found in {home}"
        numerical = judge.__module__.endswith("kit.marking")
        assert numerical or judge.__module__ == f"svf_helpers.chapters.{home[0]}.exercises"


def test_a_chapter_brings_its_own_exercises_and_check_finds_the_others():
    code = (
        "from svf_helpers.chapters.rope.exercises import check\n"
        "from svf_helpers.chapters.kit.marking import REGISTER\n"
        "print(sorted(REGISTER)); check('rope-peak', 9.3); print(len(REGISTER)); check('known-holm', 4)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    own, first, count, other = ran.stdout.splitlines()
    assert own == "['rope-peak', 'rope-shared']"
    assert count == "2"
    assert (first[:8], other[:6]) == ("Not yet:", "Right:")


def test_an_unknown_name_lists_the_known_ones():
    with refuses(ValueError, "'theorem1-detecter'", "'theorem1-detector'?", "anisotropy-whitened", "theorem3-limit"):
        check("theorem1-detecter", 1.0)
    with refuses(ValueError, ["theorem1-detector"]):
        check(["theorem1-detector"], 1.0)


@pytest.fixture
def judge():
    """A function that registers a numeric exercise under a name of its own, and returns its judge; it is undone."""

    def registered(**table):
        numeric("of-this-test", asks="", **table)
        return REGISTER.pop("of-this-test").judge

    return registered


def test_a_table_is_read_from_the_top_and_right_answers_come_before_it(judge):
    mark = judge(answer=10.0, tolerance=0.01, apart=1e-4, otherwise="other", mistakes=[
        (lambda x: x > 5, "above"), ((6.0, 3.0), "listed"), (3.0002, "hidden"), (2.0, lambda x: f"{x:g} it is")])
    assert [mark(x) for x in (10.09, 10.11, 6.0, 3.0, 3.0002, 3.003, 2.0, 1.0)] == [
        None, "above", "above", "listed", "listed", "other", "2 it is", "other"]


def test_general_mistakes_come_after_the_table_and_before_the_last_resort(judge):
    mark = judge(answer=3.0, mistakes=[(-3.0, "own hint")], otherwise=lambda x: f"not {x:g}")
    assert [mark(x) for x in (-3.0, 9.0, 3.01, 7.0)] == ["own hint", GENERAL["square"], GENERAL["close"], "not 7"]


def test_a_vector_is_compared_entry_by_entry(judge):
    right = torch.tensor([1.0, 4.0], dtype=torch.float64)
    mark = judge(answer=right, tolerance=0.01, otherwise="other", mistakes=[([1.0, ANY], "second"), (2.0, "both 2")])
    vector = lambda *entries: torch.tensor(entries, dtype=torch.float64)  # noqa: E731
    given = vector(1.005, 4), vector(1.005, 5), vector(2, 2), vector(2, 4.5), vector(4, 1)
    assert [mark(x) for x in given] == [None, "second", "both 2", "other", GENERAL["order"]]


def test_every_general_mistake_is_told_from_the_others():
    right = 7.3
    seen = [number_hint(x, right) for x in (-7.3, 1 / 7.3, 7.3**2, 7.3**0.5, 730, 14.6, 7.35)]
    assert seen == [GENERAL[kind] for kind in ("sign", "reciprocal", "square", "root", "percent", "factor", "close")]
    assert [number_hint(factor * right, right) for factor in (0.5, 4, 0.25)] == [GENERAL["factor"]] * 3
    assert number_hint(9.0, right) is None
    assert number_hint(9.0, 0.0) is None


def test_general_mistakes_in_tensors():
    right = torch.arange(9.0, dtype=torch.float64).reshape(3, 3)
    assert tensor_hint(right.mT, right) == GENERAL["transpose"]
    assert tensor_hint(-right, right) == GENERAL["signs"]
    assert tensor_hint(2.5 * right, right) == GENERAL["length"]
    assert tensor_hint(0 * right, right) == GENERAL["zeros"]
    assert tensor_hint(right[0].flip(0), right[0]) == GENERAL["order"]
    assert "number 2" in tensor_hint(right[1] + torch.tensor([0.0, 1.0, 0.0]), right[1])
    assert tensor_hint(right + torch.eye(3), right) is None


def test_closeness():
    assert same(1e-13, 0)
    assert not same(1e-11, 0)
    assert same(-2.001, -2)
    assert not same(-2.003, -2)
    tiny, huge = torch.tensor([[1e-200, 2e-200], [-1e200, -2e200]], dtype=torch.float64)
    assert parallel(tiny, huge)
    assert not parallel(tiny * 0, huge)


def test_shapes_are_explained():
    turned = _message(tensor(2, None), torch.ones(3, 2))
    assert turned == "expected a tensor of shape (2, any), got shape (3, 2) (transposed?)."
    assert "expected a tensor of shape (6, 6), got shape (6,)." in _message(tensor(6, 6), np.ones(6))
    assert "expected one number, got shape (2,)." in _message(number(), [1, 2])
    assert "got a single number" in _message(tensor(3), 1.0)
    assert "no answer yet" in _message(number(), ...)
    assert "a str that cannot be read" in _message(number(), "one half")
    assert "all finite" in _message(tensor(2), [1.0, math.inf])
    assert "of one length" in _message(tensor(2, 2), [[1, 2], [3]])


def _message(form, answer):
    with pytest.raises(Unreadable) as caught:
        form.read(answer)
    return str(caught.value)


def test_a_name_is_registered_once():
    for again in (lambda name: checker(name, asks="", expects=number())(len),
                  lambda name: numeric(name, asks="", answer=1.0)):
        taken = next(iter(exercises()))
        with refuses(ValueError, taken):
            again(taken)


def test_a_mark_at_the_end_of_a_cell_shows_nothing_more(capsys):
    from IPython.core.formatters import DisplayFormatter

    mark = check("notation-chance", 10)
    assert capsys.readouterr().out.startswith("Not yet: ")
    assert DisplayFormatter().format(mark) == ({}, {})
    assert str(mark).startswith("Not yet: ")
    assert not mark.right
