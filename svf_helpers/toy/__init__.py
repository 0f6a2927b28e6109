"""The toy model with an attention head, and its training (paper, section 3): many instances at once, on CPU or GPU."""

from .config import DEFAULT_PAIRS, ToyConfig
from .gradient import Gradient
from .model import Batch, Parameters, head_logits, losses, strengths, target_logits
from .recorder import History
from .run import ToyRun
from .sweep import sweep
from .training import initial_weights, train

__all__ = [
    "DEFAULT_PAIRS",
    "Batch",
    "Gradient",
    "History",
    "Parameters",
    "ToyConfig",
    "ToyRun",
    "head_logits",
    "initial_weights",
    "losses",
    "strengths",
    "sweep",
    "target_logits",
    "train",
]
