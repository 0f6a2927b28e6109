"""Stored results of the long runs: what the published figures show, and the commands that make them.

A chapter reads a result by name::

    from svf_helpers.experiments import load

    result = load("one-pair")  # paper scale
    result["summary_cosines"], result.label(), result.command

A run is a function registered by :func:`experiment`, in ``svf_helpers/chapters/NAME/runs.py``.
It is started by ``python -m svf_helpers.experiments run NAME --scale quick|paper``.
"""

from svf_helpers.experiments.registry import Option, experiment
from svf_helpers.experiments.result import Result
from svf_helpers.experiments.store import load, load_first, part

__all__ = ["Option", "Result", "experiment", "load", "load_first", "part"]
