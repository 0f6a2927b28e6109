"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import math

from tests.marked import Marked

PEAK = 15 * math.cos(8 * 10**-0.8)
SHARED = math.atan(0.8 * math.tan(0.1)) / 2


class TestPeak(Marked):
    name = "rope-peak"
    right = [PEAK, 4.47, 4.5]
    rows = [[15], [15 * abs(math.cos(8)), 2.18], [15 * math.cos(8 * 10**-1.6)], [15 * math.sin(8 * 10**-0.8)],
            [-PEAK], [-1]]
    general = {"factor": [2 * PEAK]}
    otherwise = [9.3]
    secrets = [PEAK, 4.47, 4.48]


class TestShared(Marked):
    name = "rope-shared"
    right = [[SHARED, SHARED], [0.04, 0.0401]]
    rows = [[(SHARED, -SHARED)], [(SHARED, 0), (0.3, -SHARED)], [(0.1, 0.1), (-0.1, 0.1)], [(0.05, 0.05)],
            [(2 * SHARED, 2 * SHARED)], [(2.3, 2.3)]]
    otherwise = [(0.3, 0.2)]
    secrets = [SHARED, 0.04, 0.8]
