"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import math

from tests.marked import Marked

LEAST = math.log(0.3 * 20 / 0.7)  # the least relative attention of a key with attention .3 among 21


class TestLeast(Marked):
    name = "your-model-least"
    right = [LEAST, 2.15, 2.148]
    rows = [[math.log(3 / 7)], [math.log(9)], [math.log(6.3)], [math.log(6)], [60 / 7],
            [math.log2(60 / 7), math.log10(60 / 7)], [0], [0.0632], [-LEAST]]
    general = {"factor": [2 * LEAST]}
    otherwise = [3]
    secrets = [LEAST]
