"""The book's explorers: a pure function, a picture, and a :class:`~svf_helpers.widgets.scene.FrameExplorer`.

Each has two forms. ``..._frames()`` is for a page without a kernel, with all frames computed beforehand;
``..._explorer()`` computes as sliders move, where a kernel runs.
"""

from .capacity import capacity_explorer, capacity_frames
from .delta import delta_frame, delta_frames, delta_state
from .head import head_explorer, head_frames
from .lam import lambda_explorer, lambda_frame, lambda_frames, lambda_state
from .offset import offset_explorer, offset_frames
from .phase import phase_explorer, phase_frames
from .plane import stretched_plane, stretched_plane_explorer, stretched_plane_frames
from .terms import terms_explorer, terms_frames
from .two_features import (
    TwoFeatureHead,
    two_feature_explorer,
    two_feature_frame,
    two_feature_frames,
    two_feature_head,
)

__all__ = [
    "TwoFeatureHead",
    "capacity_explorer",
    "capacity_frames",
    "delta_frame",
    "delta_frames",
    "delta_state",
    "head_explorer",
    "head_frames",
    "lambda_explorer",
    "lambda_frame",
    "lambda_frames",
    "lambda_state",
    "offset_explorer",
    "offset_frames",
    "phase_explorer",
    "phase_frames",
    "stretched_plane",
    "stretched_plane_explorer",
    "stretched_plane_frames",
    "terms_explorer",
    "terms_frames",
    "two_feature_explorer",
    "two_feature_frame",
    "two_feature_frames",
    "two_feature_head",
]
