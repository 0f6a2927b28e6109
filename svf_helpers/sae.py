r"""Decoders of sparse autoencoders (SAEs), and how evenly they fill space (paper, appendix C.2 and Figure 20).

The rows of a decoder $W_{dec}$ [n, d] stand in for the features of a real model. Only the decoder is read from a file,
and published autoencoders one layer at a time: a computer that can hold one decoder can measure all of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .features import unit
from .plain_errors import in_plain_words, needed
from .sae_training import TrainedSAE, train_sae

__all__ = [
    "LAYOUT",
    "REPO",
    "Anisotropy",
    "TrainedSAE",
    "anisotropy_by_layer",
    "decoder_anisotropy",
    "published_decoders",
    "read_decoder",
    "train_sae",
]

REPO = "jbloom/GPT2-Small-SAEs-Reformatted"
# Where that repository keeps the autoencoder of the residual stream before a block; its tensors are W_dec [24576, 768],
# W_enc, b_dec and b_enc. The residual stream after the last block is not among the paper's twelve layers.
LAYOUT = "blocks.{layer}.hook_resid_pre/sae_weights.safetensors"
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float32, "BF16": torch.float32}
ROWS_AT_ONCE = 4096
NEEDED_FOR = "published sparse autoencoders"


class Anisotropy(NamedTuple):
    r"""What $E = \tfrac{d}{n}\,C - I$ says about n directions in d dimensions.

    ``norm`` is $\|E\|_2$: 0 for a tight frame, d - 1 where all directions lie on one line. ``eigenvalues`` are those of
    E, descending, with mean 0; ``direction`` is the unit eigenvector of the one that decides the norm: where the
    features crowd, or the direction that they avoid.

    Example:
        >>> decoder_anisotropy(torch.eye(2)[[0, 0, 0, 1]]).eigenvalues
        tensor([ 0.5000, -0.5000], dtype=torch.float64)
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

    Example:
        >>> import tempfile
        >>> from safetensors.torch import save_file
        >>> path = Path(tempfile.mkdtemp()) / "decoder.safetensors"
        >>> save_file({"W_dec": torch.ones(4, 2)}, path)
        >>> read_decoder(path).shape
        torch.Size([4, 2])
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder; give a file in it" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}: a decoder is read from a .safetensors file")
    safetensors = needed("safetensors", NEEDED_FOR)
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
    download: bool = True,
    key: str = "W_dec",
    layout: str = LAYOUT,
) -> Iterator[tuple[int, Float[Tensor, "n d"]]]:
    """Pairs of a layer and its published decoder, each read only when it is asked for (paper, appendix C.2).

    Files come from the hub's cache if they are there, else from the hub (151 MB a layer for GPT-2 small). Only one
    decoder is in memory at a time if the caller keeps no other: ``del`` the last one before asking for the next.

    Args:
        repo: a repository on huggingface.co.
        layers: which layers, in this order.
        local: a folder with the same layout; then nothing is asked of the hub.
        download: False takes files from the hub's cache alone, and asks the network for nothing.
        key: the decoder's name in each file.
        layout: a file's place within the repository, with ``{layer}`` in it.

    Raises:
        FileNotFoundError: if a local file is missing (known before the first is read), the repository has no such file,
            or, without ``download``, it is not in the cache.
        ConnectionError: if the hub cannot be reached.
        ValueError: for negative layers, a layout without ``{layer}``, a repository that the hub does not have, or a
            file that holds no decoder.
        ModuleNotFoundError: if huggingface_hub or safetensors is not installed.

    Example:
        >>> import tempfile
        >>> from safetensors.torch import save_file
        >>> folder = Path(tempfile.mkdtemp())  # without ``local`` and ``layout``: the published files, from the hub
        >>> save_file({"W_dec": torch.ones(4, 2)}, folder / "8.safetensors")
        >>> for layer, W_dec in published_decoders(layers=[8], local=folder, layout="{layer}.safetensors"):
        ...     print(layer, W_dec.shape)
        8 torch.Size([4, 2])
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
        needed("huggingface_hub", NEEDED_FOR)

    def one_at_a_time() -> Iterator[tuple[int, Tensor]]:
        for layer in layers:
            path = Path(local) / names[layer] if local is not None else _from_hub(repo, names[layer], download)
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


def _check_rows(W: Tensor, name: str) -> None:
    if W.ndim != 2 or 0 in W.shape:
        raise ValueError(f"{name} has shape {tuple(W.shape)}: expected a decoder [n, d], features as rows")
    if not W.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite")
    zero = (~W.any(1)).nonzero().flatten().tolist()
    if zero:
        raise ValueError(f"{name} has {len(zero)} rows of length 0, the first of them row {zero[0]}: no direction")


def _from_hub(repo: str, name: str, download: bool) -> str:
    """The file's path in the hub's cache, fetched if it is not there and may be."""
    hub = needed("huggingface_hub", NEEDED_FOR)
    errors = importlib.import_module("huggingface_hub.errors")
    instead = "or fetch the files elsewhere and give local= a folder with the same layout"
    try:
        return hub.hf_hub_download(repo, name, local_files_only=True)  # published weights do not change
    except errors.LocalEntryNotFoundError as error:
        if not download:
            where = f"{name} of {repo} is not in the local cache"
            raise FileNotFoundError(f"{where}: give download=True to fetch it, {instead}") from error
    except errors.HFValidationError as error:
        raise in_plain_words(error, repo) from error
    try:
        # Asked once here, since a download would knock five times in half a minute before it gave up.
        hub.utils.get_session().head(hub.constants.ENDPOINT, timeout=10)
        return hub.hf_hub_download(repo, name)
    except Exception as error:
        raise in_plain_words(error, repo, file=name, instead=instead) from error
