"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import torch

from tests.marked import Marked


class TestBill(Marked):
    name = "many-pairs-bill"
    right = [10.5, 10.5 * (1 + 1e-4)]
    rows = [[21], [42, 3, 1.5], [20.78]]
    general = {"factor": [5.25]}
    otherwise = [7]
    secrets = [10.5, 21]


class TestCapacity(Marked):
    name = "many-pairs-capacity"
    right = [[25, 50, 10], torch.tensor([25, 50, 10])]
    rows = [[(2.5, 50, 10), (25, 50, -10)], [(50, 50, 10)], [(25, 25, 10), (25, 10, 50)], [(25, 50, 50)]]
    secrets = [25, 50, 10]
