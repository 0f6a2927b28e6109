"""The paper's theorems as functions: closed forms, bounds and objectives, all in float64 (paper, appendix B).

What is this book's and not in the paper says so in its docstring.
"""

from ..alignment import anti_whitened
from .bounds import (
    SILENT_ABOVE,
    alignment_cosine,
    best_scale,
    condition_number,
    sharp_bound,
    sharp_bound_from_anisotropy,
    theorem2_bound,
)
from .closed_forms import (
    LogitShift,
    RankOne,
    corollary1_sigma,
    cross_entropy,
    entropy,
    feature_detector,
    key_moment,
    kl_divergence,
    logit_shift,
    query_moment,
    teacher_matrix,
    theorem1_minimizer,
    theorem1_svd,
)
from .fitting import HeadFit, fit_head, kl_objective
from .sampling import (
    Contexts,
    SampleMoment,
    head_logits,
    presence_logits,
    sample_contexts,
    sample_key_moment,
    sample_query_moment,
)
from .theorem2 import Theorem2Steps, theorem2_steps
from .theorem3 import TwoPairHead, attention_loss, interference, theorem3_bound, theorem3_objective
from .theorem3_minimum import Minimum, orthogonal_comparison, theorem3_limit, theorem3_minimizer
from .worst import worst_dictionary

__all__ = [
    "SILENT_ABOVE",
    "Contexts",
    "HeadFit",
    "LogitShift",
    "Minimum",
    "RankOne",
    "SampleMoment",
    "Theorem2Steps",
    "TwoPairHead",
    "alignment_cosine",
    "anti_whitened",
    "attention_loss",
    "best_scale",
    "condition_number",
    "corollary1_sigma",
    "cross_entropy",
    "entropy",
    "feature_detector",
    "fit_head",
    "head_logits",
    "interference",
    "key_moment",
    "kl_divergence",
    "kl_objective",
    "logit_shift",
    "orthogonal_comparison",
    "presence_logits",
    "query_moment",
    "sample_contexts",
    "sample_key_moment",
    "sample_query_moment",
    "sharp_bound",
    "sharp_bound_from_anisotropy",
    "teacher_matrix",
    "theorem1_minimizer",
    "theorem1_svd",
    "theorem2_bound",
    "theorem2_steps",
    "theorem3_bound",
    "theorem3_limit",
    "theorem3_minimizer",
    "theorem3_objective",
    "worst_dictionary",
]
