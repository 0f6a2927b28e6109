r"""Decoders of sparse autoencoders and how evenly they fill space (paper, appendix C.2 and Figure 20).

The rows of a decoder $W_{dec}$ [n, d] stand in for the features of a real model. A file is read one tensor at a time,
and published autoencoders one layer at a time: a computer that can hold one decoder can measure all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .device import choose_device
from .features import unit

REPO = "jbloom/GPT2-Small-SAEs-Reformatted"
# Where that repository keeps the autoencoder of the residual stream before a block; its tensors are W_dec [24576, 768],
# W_enc, b_dec and b_enc. The residual stream after the last block is not among the paper's twelve layers.
LAYOUT = "blocks.{layer}.hook_resid_pre/sae_weights.safetensors"
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float32, "BF16": torch.float32}
ROWS_AT_ONCE = 4096


class Anisotropy(NamedTuple):
    r"""What $E = \tfrac{d}{n}\,C - I$ says about n directions in d dimensions.

    ``norm`` is $\|E\|_2$: 0 for a tight frame, d - 1 where all directions lie on one line. ``eigenvalues`` are those of
    E, descending, with mean 0; ``direction`` is the unit eigenvector of the one that decides the norm: where the
    features crowd, or the direction that they avoid.
    """

    norm: float
    eigenvalues: Float[Tensor, " d"]
    direction: Float[Tensor, " d"]
    n: int
    d: int


def decoder_anisotropy(W_dec: Float[Tensor, "n d"]) -> Anisotropy:
    r"""Anisotropy of a decoder, its rows scaled to length 1 first (paper, appendix C.2).

    Computed in float64 from the d x d Gram matrix, a few thousand rows at a time; what is n x n is never built.

    Args:
        W_dec: features as rows, in any floating-point dtype and at any lengths above 0.

    Raises:
        ValueError: if W_dec is not [n, d], not finite, not floating-point, or has rows of length 0.

    Example:
        >>> decoder_anisotropy(torch.eye(3)).norm
        0.0
        >>> round(decoder_anisotropy(torch.ones(5, 3)).norm, 6)  # all on one line
        2.0
    """
    if not W_dec.is_floating_point():
        raise ValueError(f"W_dec is {W_dec.dtype}: expected a floating-point decoder")
    _check_rows(W_dec, "W_dec")
    n, d = W_dec.shape
    C = torch.zeros(d, d, dtype=torch.float64, device=W_dec.device)
    for start in range(0, n, ROWS_AT_ONCE):
        rows = unit(W_dec[start : start + ROWS_AT_ONCE].detach().double().mT)
        C += rows @ rows.mT
    E = (d / n) * C - torch.eye(d, dtype=torch.float64, device=W_dec.device)
    eigenvalues, vectors = torch.linalg.eigh(E)
    decides = int(eigenvalues.abs().argmax())
    return Anisotropy(
        float(eigenvalues[decides].abs()), eigenvalues.flip(0).cpu(), vectors[:, decides].clone().cpu(), n, d
    )


def read_decoder(path: str | Path, key: str = "W_dec", transposed: bool = False) -> Float[Tensor, "n d"]:
    """The decoder in a local safetensors file; nothing else in the file is loaded.

    Args:
        path: any safetensors file.
        key: the decoder's name in it.
        transposed: set this where the file keeps features as columns, [d, n], as a linear layer's weight does.

    Returns:
        Features as rows [n, d]: float64 stays, half precision and bfloat16 become float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, has no such key (the error lists those it has), or the tensor is no
            decoder: not two-dimensional, not floating-point, fewer features than dimensions, not finite, rows of 0.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder; give a file in it" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}: a decoder is read from a .safetensors file")
    safetensors = _needs("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            keys = sorted(file.keys())
            if key not in keys:
                raise ValueError(f"{path} has no tensor named {key!r}; it has: {', '.join(keys) or 'none at all'}")
            stored = file.get_slice(key)
            shape, dtype = tuple(stored.get_shape()), stored.get_dtype()
            name = f"{key} in {path}"
            if len(shape) != 2 or 0 in shape:
                raise ValueError(f"{name} has shape {shape}: expected a decoder [n, d], features as rows")
            if dtype not in DTYPES:
                raise ValueError(f"{name} has dtype {dtype}: expected one of {', '.join(DTYPES)}")
            n, d = shape[::-1] if transposed else shape
            if n < d:
                raise ValueError(
                    f"{name} has shape {shape}, which reads as {n} features in {d} dimensions: a sparse autoencoder "
                    f"has at least as many features as dimensions; give transposed={not transposed} if features are "
                    f"the {'rows' if transposed else 'columns'}"
                )
            W_dec = file.get_tensor(key).to(DTYPES[dtype])
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file, or is damaged: {error}") from error
    W_dec = W_dec.mT.contiguous() if transposed else W_dec
    _check_rows(W_dec, name)
    return W_dec


def published_decoders(
    repo: str = REPO,
    layers: Iterable[int] = range(12),
    local: str | Path | None = None,
    *,
    key: str = "W_dec",
    layout: str = LAYOUT,
) -> Iterator[tuple[int, Float[Tensor, "n d"]]]:
    """Pairs of a layer and its published decoder, each read only when it is asked for (paper, appendix C.2).

    Files come from the hub's cache where they are there, else from the hub (151 MB a layer for GPT-2 small). Only one
    decoder is in memory as long as the caller keeps no other: ``del`` the last one before asking for the next.

    Args:
        repo: a repository on huggingface.co.
        layers: which layers, in this order.
        local: a folder with the same layout; then nothing is asked of the hub.
        key: the decoder's name in each file.
        layout: a file's place within the repository, with ``{layer}`` in it.

    Raises:
        FileNotFoundError: if a local file is missing (known before the first is read), the hub cannot be reached, or
            it has no such repository or file.
        ValueError: for negative layers, a layout without ``{layer}``, or a file that holds no decoder.
        ModuleNotFoundError: if huggingface_hub or safetensors is not installed.
    """
    layers = list(layers)
    if any(not isinstance(layer, int) or isinstance(layer, bool) or layer < 0 for layer in layers):
        raise ValueError(f"layers = {layers}: expected whole numbers from 0")
    if "{layer}" not in layout:
        raise ValueError(f"layout = {layout!r}: must have {{layer}} in it")
    names = {layer: layout.format(layer=layer) for layer in layers}
    if local is not None:
        missing = [name for name in names.values() if not (Path(local) / name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{local} lacks {len(missing)} of {len(names)} files, the first of them {missing[0]}: expected the "
                f"layout of {repo}"
            )
    else:
        _needs("huggingface_hub")

    def one_at_a_time() -> Iterator[tuple[int, Tensor]]:
        for layer in layers:
            path = Path(local) / names[layer] if local is not None else _from_hub(repo, names[layer])
            yield layer, read_decoder(path, key)

    return one_at_a_time()


def anisotropy_by_layer(decoders: Iterable[tuple[int, Float[Tensor, "n d"]]]) -> dict[int, Anisotropy]:
    """Anisotropy of each of several decoders, holding one of them at a time (paper, Figure 20).

    Args:
        decoders: pairs of a layer and its decoder: :func:`published_decoders`, or ``enumerate`` of a list.

    Example:
        >>> {layer: found.norm for layer, found in anisotropy_by_layer(enumerate([torch.eye(2)])).items()}
        {0: 0.0}
    """
    found = {}
    for layer, W_dec in decoders:
        found[layer] = decoder_anisotropy(W_dec)
        del W_dec  # the loop variable would keep this decoder in memory while the next is read
    return found


@dataclass(frozen=True)
class TrainedSAE:
    """A small sparse autoencoder: codes ``relu((t - b_dec) @ W_enc + b_enc)``, tokens back ``codes @ W_dec + b_dec``.

    ``error`` is the share of the tokens' variance that is not reconstructed, ``L0`` the mean number of active features
    per token, ``active`` the share of tokens in which each feature is active: where it is 0 the decoder's row was
    never trained. Trained from several seeds, every tensor has their dimension in front.
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
    lr: float = 3e-3,
    batch: int = 512,
) -> TrainedSAE:
    r"""Train a sparse autoencoder on tokens: ReLU encoder, decoder rows of length 1, $L_1$ penalty on the codes.

    A stand-in for the published ones of appendix C.2, where those cannot be reached or the model is not among theirs.
    Inside, tokens are scaled to variance 1 in all, so that one ``l1`` suits tokens of any size. On a CPU the same seed
    gives the same result, and gives it alone or among others (to float tolerance).

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
    D = torch.stack([torch.randn(n_features, x.shape[1], generator=g) for g in draws]).to(place)
    D = unit(D.mT).mT
    parameters = [D, D.mT.clone(), D.new_zeros(len(seeds), 1, n_features), D.new_zeros(len(seeds), 1, x.shape[1])]
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.stack([torch.randint(len(x), (batch,), generator=g) for g in draws]).to(place)
        t = x[chosen]
        codes, back = _autoencode(t, *parameters)
        # Summed over seeds: each then trains as if it were alone.
        loss = ((t - back).square().sum(-1) + l1 * codes.sum(-1)).mean(-1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    with torch.no_grad():
        error, active = 0.0, 0.0
        for part in x.split(ROWS_AT_ONCE):
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


def _check_rows(W: Tensor, name: str) -> None:
    if W.ndim != 2 or 0 in W.shape:
        raise ValueError(f"{name} has shape {tuple(W.shape)}: expected a decoder [n, d], features as rows")
    if not W.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite")
    zero = (~W.any(1)).nonzero().flatten().tolist()
    if zero:
        raise ValueError(f"{name} has {len(zero)} rows of length 0, the first of them row {zero[0]}: no direction")


def _needs(module: str):
    """Imported only here: the rest of the package does without."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{module} is not installed, and sparse autoencoders are kept in its files: pip install 'svf-helpers[models]'",
            name=module,
        ) from error


def _from_hub(repo: str, name: str) -> str:
    """The file's path in the hub's cache, fetched if it is not there."""
    hub = _needs("huggingface_hub")
    from huggingface_hub import errors

    instead = "or fetch the files elsewhere and give local= a folder with the same layout"
    try:
        try:
            return hub.hf_hub_download(repo, name, local_files_only=True)  # published weights do not change
        except errors.LocalEntryNotFoundError:
            return hub.hf_hub_download(repo, name)
    except errors.HFValidationError as error:
        raise ValueError(f"repo = {repo!r} is not a name on the hub: expected 'owner/name'") from error
    except errors.RepositoryNotFoundError as error:
        raise FileNotFoundError(f"the hub has no public repository {repo}: check its name, {instead}") from error
    except errors.LocalEntryNotFoundError as error:
        raise FileNotFoundError(_unreachable(repo, name, instead)) from error
    except errors.EntryNotFoundError as error:
        raise FileNotFoundError(f"{repo} has no file {name}: check layers and layout, {instead}") from error
    except Exception as error:  # the network fails in many ways, and libraries rename their errors for it
        raise FileNotFoundError(f"{_unreachable(repo, name, instead)} ({type(error).__name__})") from error


def _unreachable(repo: str, name: str, instead: str) -> str:
    return (
        f"{name} of {repo} is not in the local cache, and the hub cannot be reached: go online (and unset "
        f"HF_HUB_OFFLINE), {instead}"
    )
