"""The book's figures, in one house style.

Every function takes tensors or arrays and returns one ``matplotlib.figure.Figure``; a notebook cell that ends in the
call shows one image. Nothing is trained or decomposed here: what is drawn is what was given. Here are the figures that
several chapters draw; those of one chapter are in modules of this package that are called like it.
"""

from .diagram import model_diagram
from .features import alignment_and_spectrum, alignment_heatmap, cosine_heatmap, gram_heatmap, spectrum
from .plane import feature_plane
from .training import dynamics, lock_times, sweep, training_curves

__all__ = [
    "alignment_and_spectrum",
    "alignment_heatmap",
    "cosine_heatmap",
    "dynamics",
    "feature_plane",
    "gram_heatmap",
    "lock_times",
    "model_diagram",
    "spectrum",
    "sweep",
    "training_curves",
]
