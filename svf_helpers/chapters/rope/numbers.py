"""Every number in the prose of the chapter on RoPE, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from svf_helpers.chapters.kit.words import list_of, low_to_high
from svf_helpers.experiments import Result
from svf_helpers.toy import ToyConfig

NO_BAND = -1  # how the result marks models whose positional pair has a target that does not depend on position


def numbers(
    result: Result,
    *,
    misfit: Float[Tensor, "targets bands"],
    products: Complex[Tensor, "models bands P P"],
    sigma: Float[Tensor, "offsets models P"],
    turned: Float[Tensor, "offsets models P"],
    leans: Mapping[str, Float[Tensor, "seeds others"]],
    cancelled: Mapping[str, Float[Tensor, ""]],
    remainder: float,
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    Args:
        result: the stored result ``rope``.
        misfit: what one band leaves of each band's target, and of one without position (last row).
        products: conj(q_b) k_b between the unit features of interest, for every stored model.
        sigma: singular values of every stored model at offsets 0, 1, ...
        turned: degrees by which their vectors have turned since offset 0.
        leans: degrees by which vectors 1 to 3 lean at the last offset in the models of band 1, ``measured`` and to
            first order: from ``both`` parts of the leak, from the ``odd`` one alone.
        cancelled: share of the cross-talk's slope that band 2 cancels, ``band 2 free`` and ``band 2 taken``.
        remainder: fourth singular value at offset 0 of the head that looks ten positions back.
    """
    return (
        _misfits(result, misfit)
        | _alignment(result)
        | _bands(result)
        | _asked(result)
        | _offsets(result, sigma, turned)
        | {
            "lean-off": f"{(leans['both'] - leans['measured']).abs().max():.1f}",
            "lean-odd": f"{leans['odd'].max():.1f}",
        }
        | _leaks(result, products, turned)
        | {f"cancel-{name}": f"{100 * cancelled[f'band 2 {name}']:.0f}" for name in ("free", "taken")}
        | {"blind": f"{remainder:.1f}"}
    )


def _misfits(result: Result, misfit: Float[Tensor, "targets bands"]) -> dict[str, str]:
    """How badly one band stands in for another, in per cent; label and numbers of seeds of the stored models."""
    return {
        "misfit-12": f"{100 * misfit[1, 2]:.1f}",
        "misfit-23": f"{100 * misfit[2, 3]:.0f}",
        "misfit-34": f"{100 * misfit[3, 4]:.2f}",
        "misfit-c4": f"{100 * misfit[-1, 4]:.3f}",
        "label": result.label(),
        "seeds": str((result["band"] == 1).sum()),
        "more-seeds": str((result["band"] == 0).sum()),
    }


def _alignment(result: Result) -> dict[str, str]:
    """The un-rotated matrix of the models of band 1: cosines at rank, singular values, lengths and logits."""
    ours = np.flatnonzero(result["band"] == 1)
    cosine, S = np.abs(result["summary_cosine"])[ours], result["summary_S"][ours]
    config = _config(result)
    aims = np.array(_targets(config))
    W, W_Q, W_K = (result[name][ours].astype(float) for name in ("W", "W_Q", "W_K"))
    F, G = (W[..., list(side)] for side in zip(*config.ranked_pairs, strict=True))
    logits = (np.einsum("sdp,sdr->srp", F, W_Q) * np.einsum("sdp,sdr->srp", G, W_K)).sum(1)
    lengths = np.linalg.norm(F, axis=1), np.linalg.norm(G, axis=1)
    account = lengths[0] * S[:, :4] * lengths[1]
    return {
        "cosine-min": f"{np.floor(1000 * cosine[:, :3].min()) / 1000:.3f}",
        "cosine-positional": f"{np.floor(1000 * cosine[:, 3].min()) / 1000:.3f}",
        "sigma": list_of(S.mean(0)[:4], ".1f"),
        "sigma-fifth": f"{S[:, 4].max():.2f}",
        "sigma-short": f"{100 * (1 - S[:, :4] / aims).max():.0f}",
        "logit-off": f"{100 * np.abs(logits / aims - 1).max():.1f}",
        "length-max": f"{np.max(lengths):.2f}",
        "account": f"{100 * np.abs(account / logits - 1).max():.1g}",
    }


def _bands(result: Result) -> dict[str, str]:
    """Shares of energy in the models of band 1: the positional pair's in it, the others' in slow and fast bands."""
    own = result["summary_energy"][result["band"] == 1]  # [model, pair, side, band]
    positional, others = own[:, 3], own[:, :3]
    return {
        "energy-positional": f"{positional[..., 1].min():.3f}",
        "energy-slow": f"{others[..., 3:].sum(-1).min():.2f}",
        "energy-two": low_to_high(others[..., 2].ravel(), ".2f"),
        "energy-fast": f"{others[..., :2].max():.5f}",
    }


def _asked(result: Result) -> dict[str, str]:
    """The positional pair's shares where its target swings with another band, or with none."""
    band, positional = result["band"], result["summary_energy"][:, 3]  # [model, side, band]
    follows = min(positional[band == b][..., b].min() for b in range(3))
    alike = np.abs(positional[band == 4] - positional[band == NO_BAND]).max()
    third, aimless = positional[band == 3][..., 3], positional[band == NO_BAND][..., 3]
    return {
        "asked-012": f"{follows:.2f}",
        "alike": f"{alike:.3f}",
        "third": low_to_high(third.ravel(), ".2f"),
        "third-none": low_to_high(aimless.ravel(), ".2f"),
        "second-taken": f"{result['summary_energy'][band == 2][:, :3, :, 2].max():.3f}",
    }


def _offsets(
    result: Result, sigma: Float[Tensor, "offsets models P"], turned: Float[Tensor, "offsets models P"]
) -> dict[str, str]:
    """Singular values and turns of the models of band 1 over the offsets, and what a shared plane would explain."""
    ours, config = np.flatnonzero(result["band"] == 1), _config(result)
    sigma, turned, targets, theta = sigma[:, ours], turned[:, ours], _targets(config), _frequencies(config)
    swing = torch.cos(theta[1] * torch.arange(len(sigma)))[:, None]
    kept = (sigma[-1] / sigma[0])[:, :3]
    most = turned[-1, :, :3].amax(-1)  # the most turned of the three pairs, for each seed
    # Proposition on two pairs in one plane, for the first pair and the third.
    mean = 2 * (targets[0] * targets[2]) ** 0.5 / (targets[0] + targets[2])
    half = 0.5 * torch.rad2deg(torch.atan(mean * torch.tan(theta[3:] * (len(sigma) - 1))))
    return {
        "swing-off": f"{(sigma[..., 3] - targets[3] * swing.abs()).abs().max():.2f}",
        "turn-positional": f"{turned[..., 3].max():.1f}",
        "turn-end": f"{turned[-1, :, 3].max():.1f}",
        "turn-others": low_to_high(most),
        "kept": low_to_high(100 * kept.flatten(), ".1f"),
        "half-angle": f"{half[1]:.1f}",
        "half-third": f"{half[0]:.1f}",
        "beyond-half": str(int((most > half[0]).sum())),
    }


def _leaks(
    result: Result, products: Complex[Tensor, "models bands P P"], turned: Float[Tensor, "offsets models P"]
) -> dict[str, str]:
    """Leaks and turns at the last offset, of position-independent pairs, with band 2 free and with band 2 taken."""
    band, far = result["band"], len(turned) - 1
    apart = products[..., :3, :3][..., ~torch.eye(3, dtype=torch.bool)]  # [models, bands, entries]
    theta = _frequencies(_config(result))[:, None]
    even, odd = (torch.cos(far * theta) - 1) * apart.real, torch.sin(far * theta) * apart.imag
    found = {}
    for name, which in (("free", band == 1), ("taken", band == 2)):
        at = np.flatnonzero(which)
        found[f"turn-{name}"] = _mean_and_range(turned[far, at, :3].amax(-1), 1)
        for kind, leak in (("even", even), ("odd", odd)):
            found[f"{kind}-{name}"] = _mean_and_range(leak[at].sum(1).abs().amax(-1), 2)
    free = even[np.flatnonzero(band == 1)]
    second = (free[:, 2] * free.sum(1)).sum() / free.sum(1).square().sum()
    return found | {"even-band-2": f"{100 * second:.0f}"}


def _mean_and_range(values: Float[Tensor, " seeds"], digits: int) -> str:
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def _config(result: Result) -> ToyConfig:
    return ToyConfig(**result.info["config"]["model"])


def _targets(config: ToyConfig) -> list[float]:
    return [config.targets[pair].item() for pair in config.ranked_pairs]


def _frequencies(config: ToyConfig) -> Float[Tensor, " bands"]:
    assert config.rotary is not None  # these models have positions
    return torch.tensor(config.rotary.frequencies, dtype=torch.float64)
