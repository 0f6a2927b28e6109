"""Helpers for an executable book on singular vectors of attention heads and features.

Import what you need from its module, e.g. ``from svf_helpers.qk import qk_svd``.
Nothing is imported here, so that ``import svf_helpers`` costs nothing.
"""

__version__ = "0.2.0"
