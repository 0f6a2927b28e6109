"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import torch

from svf_helpers.chapters.theorem1.exercises import MISTAKES
from tests.marked import Marked

F = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
C = F @ F.mT
VALUES, VECTORS = torch.linalg.eigh(C)
power = lambda p: VECTORS @ torch.diag(VALUES**p) @ VECTORS.mT  # noqa: E731


class TestDetector(Marked):
    name = "theorem1-detector"
    table = MISTAKES
    right = [[0.82, -0.24], (-8.2, 2.4), [[0.82], [-0.24]], torch.linalg.solve(C, F[:, 0])]
    rows = [[(1, 2, 3)], [(1.0,), (1, 2, 3, 4)], [(0, 0)], [(1.0, 0)], [C @ F[:, 0]], [power(-0.5) @ F[:, 0]],
            [power(0.5) @ F[:, 0]], [torch.linalg.solve(C, F[:, k]) for k in (1, 2)], [(0.82, -0.25)], [(0.82, 0.24)]]
    secrets = [0.82, 0.24, 1.64, 0.48, 0.9597, 0.2809, 0.293, 3.417]
