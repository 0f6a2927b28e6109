"""Claims of the chapter on superposition: Figures 1(a), 10 and 19(a), the model without a head."""

import re
from collections import Counter

from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.toy_runs import stored_dictionaries
from svf_helpers.chapters.superposition.figures import model_diagram
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, antipodal_pairs


@claim("Fig 10", "a diagram shows the dictionary, the head's two matrices and both losses")
def diagram(_: Result | None) -> Verdict:
    drawn = [re.sub(r"[{}$\\, ]", "", text.get_text()) for axis in model_diagram().axes for text in axis.texts]
    wanted = {"dictionary": "W", "query weights": "W_Q^topt_q", "key weights": "W_K^topt_k", "reconstruction": "L_rec",
              "attention loss": "lambdaL_attn"}
    missing = [name for name, formula in wanted.items() if formula not in drawn]
    return Verdict(not missing, f"{len(wanted) - len(missing)} of {len(wanted)} parts drawn",
                   differs=f"not drawn: {', '.join(missing)}")


@claim("Fig 1a", "ten antipodal pairs (cosine below -.95) at p = .14 and .27", result="superposition")
def ten_pairs(result: Result) -> Verdict:
    return _ten_pairs(stored_dictionaries(result, 0.14, 0.27))


@claim("Fig 1a", "ten antipodal pairs (cosine below -.95) at the default p = .52", result="superposition",
       expect="differs", interval=(5, 10))
def nine_pairs(result: Result) -> Verdict:
    return _ten_pairs(stored_dictionaries(result, 0.52),
                      "two features share the last direction on the same side: a local minimum with a larger loss")


@claim("Fig 19a", "isotropic Gram matrix, ‖E‖ < .1, at p = .14 and .27", result="superposition")
def isotropic(result: Result) -> Verdict:
    return _isotropic(stored_dictionaries(result, 0.14, 0.27))


@claim("Fig 19a", "isotropic Gram matrix, ‖E‖ < .1, at the default p = .52", result="superposition", expect="differs",
       interval=(0.34, 0.39))
def nine_pairs_are_anisotropic(result: Result) -> Verdict:
    return _isotropic(stored_dictionaries(result, 0.52),
                      "where there are nine pairs, the last direction holds less than the others")


def _ten_pairs(dictionaries: Float[Tensor, "runs d n"], why: str = "some seeds have fewer") -> Verdict:
    """The value is the number of runs with nine pairs, and nan (which lies in no interval) if any has still fewer."""
    counts = [len(antipodal_pairs(W, -0.95)) for W in dictionaries]
    short = sum(count != 10 for count in counts)
    found = ", ".join(f"{count} pairs in {seeds}" for count, seeds in sorted(Counter(counts).items()))
    value = short if set(counts) <= {9, 10} else float("nan")
    return Verdict(not short, f"{found} of {len(counts)} runs", value=value, differs=why)


def _isotropic(dictionaries: Float[Tensor, "runs d n"], why: str = "some dictionaries are not isotropic") -> Verdict:
    E = [anisotropy(W) for W in dictionaries]
    off = sum(value >= 0.1 for value in E)
    measured = f"‖E‖ at most {max(E):.3f}; .1 or more in {off} of {len(E)} runs"
    return Verdict(not off, measured, value=max(E), differs=why)
