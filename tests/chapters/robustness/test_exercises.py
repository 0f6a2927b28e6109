"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestContext(Marked):
    name = "robustness-context"
    right = [0.0384 * (1 - (1 - 0.0384) ** 4), 0.00557, 0.0056]
    rows = [[0.0384], [0.0384**2], [4 * 0.0384**2], [1 - 0.9616**4], [0.0384 * 0.9616**4], [0.0052445],
            [0.0384**2 * 0.9616**3], [1 - (1 - 0.0384**2) ** 4], [-0.00557, 1.5]]
    general = {"percent": [0.557]}
    otherwise = [0.3]
    secrets = [0.0384 * (1 - (1 - 0.0384) ** 4)]
