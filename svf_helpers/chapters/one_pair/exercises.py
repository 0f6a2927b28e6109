"""The exercises of the chapter on one pair that can be marked."""

import torch

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import ANY, numeric, outside

__all__ = ["check"]

numeric(
    "one-pair-same-key",
    asks="Which |cos| does u_1 make with features 0 and 1, if both call for one key feature and stay orthonormal?",
    answer=2**-0.5,
    praise="the singular vector lies half-way between the two.",
    tolerance=5e-3,
    apart=1e-3,
    mistakes=[
        (45, "that is the angle in degrees; asked is its cosine."),
        (outside(-1, 1), "a cosine lies between -1 and 1."),
        (1, "it cannot lie along both: they are orthogonal."),
        (0, "u_1 is a mixture of the two features, so it is orthogonal to neither."),
    ],
    otherwise="not it: scale f_0 + f_1 to length 1 first.",
)

numeric(
    "one-pair-angle",
    asks="Two unit features at an angle of 30 degrees, target t: what are |cos(u_1, f_1)| and sigma_1 / t?",
    answer=torch.tensor([0.5, 4.0], dtype=torch.float64),
    praise="the closer the features, the larger the price.",
    tolerance=5e-3,
    mistakes=[
        ([3**0.5 / 2, ANY], "first number: that is the cosine between the features; "
                            "u_1 is orthogonal to the other feature."),
        ([0.5, 2.0], "second number: both detectors are long, and sigma_1 has both lengths in it."),
        (lambda pair: not 0 <= pair[0] <= 1, "first number: |cos| lies between 0 and 1."),
        ([ANY, 4.0], "the second number is right, the first is not: the detector of f_1 is orthogonal to f_2."),
        ([0.5, ANY], "the first number is right, the second is not: how long is a detector?"),
    ],
    otherwise="not yet either: the detector of f_1 is orthogonal to f_2.",
)
