"""What the stored runs of the first toy chapters share: how they train, and what they keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Training amplifies rounding, so that a re-run on another processor may miss an early, unconverged summary a little.
LOOSE = {"summary_*": 0.05}


def trained(configs, seeds, steps, device, progress, workdir: Path, record=None):
    from svf_helpers.toy import train

    return train(
        configs, steps, seeds, record=record, device=device, progress=progress, checkpoint=workdir / "place.npz"
    )


def weights(run) -> dict[str, np.ndarray]:
    return {name: getattr(run, name).cpu().numpy() for name in ("W", "b", "W_Q", "W_K")}


def config_of(run, **more) -> dict:
    swept = {name: sorted({getattr(config, name) for config in run.configs}) for name in ("p", "lam")}
    first = run.configs[0].to_dict() | swept
    return {"model": first, "seeds": sorted(set(run.seeds)), "steps": run.steps, **more}


def every_seed(configs, seeds):
    """Each configuration with each seed, seeds running fastest."""
    return [config for config in configs for _ in seeds], [seed for _ in configs for seed in seeds]
