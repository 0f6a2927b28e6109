"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import numpy as np
import pytest

from svf_helpers.chapters.beyond_capacity.exercises import merger_cost
from tests.marked import Marked


class TestCheapest(Marked):
    name = "beyond-capacity-cheapest"
    right = [0.25 * (256 - 0.25 * 320) / (1 - 0.0625), 46.93, 46.933]
    rows = [[64], [54.4], [126.93], [44], [32], [-46.93, 0]]
    general = {"factor": [93.87]}
    otherwise = [20]
    secrets = [46.93]


def test_a_merger_costs_what_the_best_shared_vector_leaves():
    """Logits p, r on the pairs and sqrt(p r) between them: the minimum over p and r, by search."""
    a, b, omega = 16.0, 8.0, 0.25
    errors = [(p - a) ** 2 + (r - b) ** 2 + 2 * omega * p * r for p in np.arange(0, 17, 0.05) for r in
              np.arange(0, 9, 0.05)]
    assert min(errors) == pytest.approx(merger_cost(a, b, omega), abs=0.01)
