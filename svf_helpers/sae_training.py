"""Small sparse autoencoders, trained on the spot where no published ones are available (cf. appendix C.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .device import choose_device
from .features import unit

TOKENS_AT_ONCE = 4096  # when the trained autoencoder is measured


@dataclass(frozen=True)
class TrainedSAE:
    """A small sparse autoencoder: codes ``relu((t - b_dec) @ W_enc + b_enc)``, tokens back ``codes @ W_dec + b_dec``.

    ``error`` is the share of the tokens' variance that is not reconstructed, ``L0`` the mean number of active features
    per token, ``active`` the share of tokens in which each feature is active: where it is 0 the decoder's row was
    never trained. Trained from several seeds, every tensor has their dimension in front.

    Example:
        >>> train_sae(torch.eye(4), n_features=6, steps=1, seed=[0, 1, 2]).error.shape
        torch.Size([3])
    """

    W_enc: Float[Tensor, "*seeds d n"]
    b_enc: Float[Tensor, "*seeds n"]
    W_dec: Float[Tensor, "*seeds n d"]
    b_dec: Float[Tensor, "*seeds d"]
    error: Float[Tensor, "*seeds"]
    L0: Float[Tensor, "*seeds"]
    active: Float[Tensor, "*seeds n"]


def train_sae(
    tokens: Float[Tensor, "N d"],
    n_features: int,
    steps: int = 2000,
    l1: float = 0.1,
    seed: int | Sequence[int] = 0,
    device: str | torch.device = "cpu",
    *,
    lr: float = 2e-2,
    batch: int = 256,
) -> TrainedSAE:
    r"""Train a sparse autoencoder on tokens: ReLU encoder, decoder rows of length 1, $L_1$ penalty on the codes.

    A stand-in for the published ones of appendix C.2, where those cannot be reached or do not cover the model. Tokens
    are scaled internally to a total variance of 1, so that one ``l1`` suits tokens of any size. On a CPU the same seed
    gives the same result, whether it trains alone or among others (to float tolerance).

    Args:
        tokens: one a row.
        n_features: rows of the decoder.
        steps: of Adam, learning rate falling to 0 on a half cosine.
        l1: penalty on the sum of codes, against a squared error whose value for the mean token alone is 1.
        seed: or several, which train in one batch.
        device: "cpu", "cuda" or "auto"; at the sizes of the toy model a GPU gains nothing.
        lr: first learning rate.
        batch: tokens a step, drawn with replacement.

    Raises:
        ValueError: for tokens that are not [N, d], finite and of more than one value, or settings out of range.

    Example:
        >>> sae = train_sae(torch.eye(4), n_features=4, steps=500)  # four tokens at right angles: a row for each
        >>> sae.W_dec.shape, bool(sae.error < 0.05)
        (torch.Size([4, 4]), True)
    """
    if tokens.ndim != 2 or not tokens.is_floating_point() or not tokens.isfinite().all():
        raise ValueError(f"tokens are {tuple(tokens.shape)} {tokens.dtype}: expected finite floating-point [N, d]")
    for name, value in (("n_features", n_features), ("steps", steps), ("batch", batch)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} = {value}: expected a whole number of at least 1")
    if not 0 <= l1 < float("inf") or not 0 < lr < float("inf"):
        raise ValueError(f"l1 = {l1}, lr = {lr}: must be finite, l1 at least 0 and lr above 0")
    seeds = [seed] if isinstance(seed, int) else list(seed)
    if not seeds:
        raise ValueError("seed is empty: give a whole number or several")
    place = choose_device(device)
    tokens = tokens.detach().to(place, torch.float32)
    mean = tokens.mean(0)
    scale = (tokens - mean).square().sum(1).mean().sqrt()
    if not scale > 0:
        raise ValueError(f"all {len(tokens)} tokens are the same: nothing to learn from")
    x = (tokens - mean) / scale

    draws = [torch.Generator().manual_seed(s) for s in seeds]
    shape = n_features, x.shape[1]
    D = torch.stack([torch.randn(shape, generator=g, dtype=torch.float32, device="cpu") for g in draws]).to(place)
    D = unit(D.mT).mT
    parameters = [D, D.mT.clone(), D.new_zeros(len(seeds), 1, n_features), D.new_zeros(len(seeds), 1, x.shape[1])]
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.stack([torch.randint(len(x), (batch,), generator=g, device="cpu") for g in draws]).to(place)
        t = x[chosen]
        codes, back = _autoencode(t, *parameters)
        # Summed over seeds: each then trains as if it were alone.
        loss = ((t - back).square().sum(-1) + l1 * codes.sum(-1)).mean(-1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    with torch.no_grad():
        error, active = x.new_zeros(len(seeds)), x.new_zeros(len(seeds), n_features)
        for part in x.split(TOKENS_AT_ONCE):
            codes, back = _autoencode(part, *parameters)
            error = error + (part - back).square().sum((-2, -1)) / len(x)
            active = active + (codes > 0).float().sum(-2) / len(x)
        D, W_enc, b_enc, b_dec = (parameter.detach() for parameter in parameters)
        values = (W_enc, scale * b_enc[:, 0], unit(D.mT).mT, scale * b_dec[:, 0] + mean, error, active.sum(-1), active)
    return TrainedSAE(*(value[0] if isinstance(seed, int) else value for value in values))


def _autoencode(t: Tensor, D: Tensor, W_enc: Tensor, b_enc: Tensor, b_dec: Tensor) -> tuple[Tensor, Tensor]:
    """Codes and reconstruction. Scaling the rows here keeps the gradient from ever pointing along them."""
    codes = torch.relu((t - b_dec) @ W_enc + b_enc)
    return codes, codes @ unit(D.mT).mT + b_dec
