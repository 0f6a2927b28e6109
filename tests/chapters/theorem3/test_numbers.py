"""The numbers in the prose of the chapter on Theorem 3."""

import re
from pathlib import Path

import torch

from svf_helpers.chapters.theorem3.numbers import numbers

CHAPTER = Path(__file__).parents[3] / "book" / "theorem3.md"


def test_the_text_asks_for_exactly_these():
    used = re.findall(r"\{glue:text\}`([^`]+)`", CHAPTER.read_text(encoding="utf8"))
    assert set(used) == set(numbers(torch.rand(3, 2)))


def test_points_are_heads_times_lambdas():
    assert numbers(torch.rand(40, 6)) == {"heads": "40", "points": "240"}
