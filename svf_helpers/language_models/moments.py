r"""Second moments of the query and key vectors of all heads, for the whitened basis (this book's; not in the paper).

For queries this is the raw second moment $\mathbb E[\tilde q \tilde q^\top]$, for keys the covariance, since relative
attention compares keys and whatever they share cancels. Both include biases. Neither includes rotation by absolute
position, which would make the basis depend on where in a text the sample stood: a query sees each key rotated by their
offset. So for a rotary head the moments of keys are averaged over the offsets of all pairs (query, key not after it) in
the sample, $\mathbb E_\Delta[R_{-\Delta} \tilde k \tilde k^\top R_\Delta]$, minus the outer product of the mean
rotated in the same way. That is the covariance of keys as queries see them, each token counted once, provided that what
a token says does not depend on how far back it stands.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from einops import einsum
from jaxtyping import Complex, Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from ..rope import Rotary
from .heads import read_layer
from .recording import LayerRecord, check_tokens, run_and_record

# Fewer tokens than this for each dimension of a head leave the smaller directions of its moments to chance.
TOKENS_PER_DIMENSION = 10


@dataclass(frozen=True)
class HeadMoments:
    """Second moments of all heads, in float64.

    Args:
        query: raw second moments of the query vectors.
        key: covariances of the key vectors, as queries see them.
        tokens: how many tokens they come from.
        query_mean: means of the query vectors.

    Example:
        >>> HeadMoments(torch.eye(2).expand(3, 4, 2, 2), torch.eye(2).expand(3, 4, 2, 2), tokens=100).tokens
        100
    """

    query: Float[Tensor, "layers heads r r"]
    key: Float[Tensor, "layers heads r r"]
    tokens: int
    query_mean: Float[Tensor, "layers heads r"] | None = None

    def centred(self) -> HeadMoments:
        """The same with covariances on both sides, as the theory of whitening has it.

        The raw second moment counts the mean query as one more direction in which queries vary. It is the default
        because what all queries share does act on keys; which of the two works better has to be measured.

        Raises:
            ValueError: where the means are not known.

        Example:
            >>> raw = torch.tensor([[[[5.0, 0.0], [0.0, 1.0]]]])
            >>> HeadMoments(raw, raw, 100, query_mean=torch.tensor([[[2.0, 0.0]]])).centred().query[0, 0]
            tensor([[1., 0.],
                    [0., 1.]])
        """
        if self.query_mean is None:
            raise ValueError("these moments come without the mean query: gather them with head_moments")
        mean = self.query_mean
        return HeadMoments(self.query - mean[..., :, None] * mean[..., None, :], self.key, self.tokens)

    def check(self, model) -> None:
        """Refuse moments that are not of this model's shape.

        Raises:
            ValueError: for another number of layers or heads, or another dimension of heads.

        Example:
            >>> from types import SimpleNamespace
            >>> model = SimpleNamespace(cfg=SimpleNamespace(n_layers=3, n_heads=4, d_head=2))
            >>> HeadMoments(torch.zeros(3, 4, 2, 2), torch.zeros(3, 4, 2, 2), tokens=100).check(model)
        """
        expected = (model.cfg.n_layers, model.cfg.n_heads)
        if tuple(self.query.shape[:2]) != expected or self.query.shape != self.key.shape:
            raise ValueError(
                f"moments are of {tuple(self.query.shape[:2])} layers and heads, the model has {expected}: gather them "
                "from this model with head_moments(model, token_batches)"
            )
        if self.query.shape[-1] != model.cfg.d_head:
            raise ValueError(
                f"moments are of heads of dimension {self.query.shape[-1]}, the model's have {model.cfg.d_head}: "
                "gather them from this model with head_moments(model, token_batches)"
            )


def head_moments(
    model, token_batches: Int[Tensor, "_batch _pos"] | Iterable[Int[Tensor, "_batch _pos"]], *, progress: bool = False
) -> HeadMoments:
    """Second moments of the query and key vectors of all layers and heads, from a sample of text.

    Args:
        model: a TransformerBridge.
        token_batches: prompts without padding, one tensor or several; every token counts once.
        progress: show a progress bar.

    Raises:
        ValueError: for what is no tensor of tokens, fewer than 10 tokens for each dimension of a head, or an attention
            that is not covered.
        MemoryError: where memory runs out, with the size of batch to try.

    Example:
        >>> from . import head_bases, load_model
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> moments = head_moments(model, torch.arange(1, 241).reshape(8, 30))
        >>> moments.query.shape, moments.tokens
        (torch.Size([5, 4, 16, 16]), 240)
        >>> head_bases(model, "whitened", [(0, 3)], moments).layers[0].svd.S.shape
        torch.Size([1, 16])
    """
    try:
        batches = [token_batches] if isinstance(token_batches, Tensor) else list(token_batches)
    except TypeError:
        batches = [token_batches]
    for batch in batches:
        if not isinstance(batch, Tensor):
            what = reprlib.repr(token_batches if isinstance(token_batches, str) else batch)
            raise ValueError(f"token_batches = {what}: give tensors of tokens, as model.to_tokens(text) returns them")
    tokens = sum(batch.numel() for batch in batches)
    least = TOKENS_PER_DIMENSION * model.cfg.d_head
    if tokens < least:
        raise ValueError(
            f"{tokens} tokens for heads of dimension {model.cfg.d_head}: moments need at least {least}, "
            f"{TOKENS_PER_DIMENSION} for each dimension"
        )
    batches = [check_tokens(model, batch) for batch in batches]  # all of them before the first is run
    layers = range(model.cfg.n_layers)
    read = [read_layer(model, layer) for layer in layers]
    sums: list[dict[str, Tensor]] = [{} for _ in layers]

    def visit(layer: int, record: LayerRecord) -> None:
        q, k = (part.detach().double().flatten(0, 1) for part in (record.query, record.key))
        new = {
            "query": einsum(q, q, "t h r, t h s -> h r s"),
            "key": einsum(k, k, "t h r, t h s -> h r s"),
            "mean": k.sum(0),
            "query_mean": q.sum(0),
        }
        sums[layer] = {name: sums[layer].get(name, 0) + value for name, value in new.items()}

    for batch in tqdm(batches, desc="moments", unit="batch", disable=not progress):
        run_and_record(model, batch, layers, visit)
    offsets = pair_counts([tuple(batch.shape) for batch in batches])
    queries, keys, means = [], [], []
    for layer in layers:
        moment, mean = (sums[layer][name] / tokens for name in ("key", "mean"))
        covariance = seen_covariance(moment, mean, read[layer].rotary, offsets)
        queries.append(sums[layer]["query"] / tokens)
        means.append(sums[layer]["query_mean"] / tokens)
        keys.append(covariance.repeat_interleave(len(queries[-1]) // len(covariance), 0))
    return HeadMoments(torch.stack(queries), torch.stack(keys), tokens, torch.stack(means))


def pair_counts(shapes: Iterable[tuple[int, int]]) -> Float[Tensor, "offsets"]:
    """How many pairs (query, key not after it) have each offset, in prompts of these shapes (batch, pos).

    Example:
        >>> pair_counts([(1, 3), (2, 2)])
        tensor([7., 4., 1.], dtype=torch.float64)
    """
    shapes = list(shapes)
    counts = torch.zeros(max(length for _, length in shapes), dtype=torch.float64, device="cpu")
    for batch, length in shapes:
        counts[:length] += batch * torch.arange(length, 0, -1, device="cpu")
    return counts


def seen_covariance(
    moment: Float[Tensor, "heads r r"],
    mean: Float[Tensor, "heads r"],
    rotary: Rotary | None,
    counts: Float[Tensor, "offsets"],
) -> Float[Tensor, "heads r r"]:
    """Covariance of key vectors as queries see them: rotated by minus the offset, averaged over offsets.

    A rotation is diagonal in the basis of its (complex) eigenvectors, so the average over any number of offsets is one
    product with a matrix of mean phases.

    Args:
        moment: second moments of the keys before rotation.
        mean: their means.
        rotary: the rotation; without it, this is the plain covariance.
        counts: how often each offset, from 0, is seen.

    Example:
        >>> moment = torch.diag(torch.tensor([3.0, 1.0]))[None].double()
        >>> turned = Rotary(2, 2, (torch.pi / 2,), "neighbours")  # offsets 0 and 1 swap the two axes
        >>> seen_covariance(moment, torch.zeros(1, 2).double(), turned, torch.tensor([1.0, 1.0])).diagonal(0, 1, 2)
        tensor([[2.0000, 2.0000]], dtype=torch.float64)
    """
    if rotary is None:
        return moment - mean[:, :, None] * mean[:, None, :]
    vectors, phases = _eigen(rotary)
    vectors, phases = vectors.to(moment.device), phases.to(moment.device)
    offsets = torch.arange(len(counts), device=moment.device).double()
    share = (counts / counts.sum()).to(moment.device)

    def mean_phase(angles: Tensor) -> Complex[Tensor, "..."]:
        turns = angles[..., None] * offsets
        return torch.complex((turns.cos() * share).sum(-1), -(turns.sin() * share).sum(-1))

    along = vectors.mH @ moment.to(vectors) @ vectors
    moment = (vectors @ (along * mean_phase(phases[:, None] - phases)) @ vectors.mH).real
    mean = ((mean.to(vectors) @ vectors.conj() * mean_phase(phases)) @ vectors.mT).real
    return moment - mean[:, :, None] * mean[:, None, :]


def _eigen(rotary: Rotary) -> tuple[Complex[Tensor, "r r"], Float[Tensor, "r"]]:
    """Eigenvectors of all rotations, as columns, and the angle by which one position turns each."""
    vectors = torch.eye(rotary.d_head, dtype=torch.complex128, device="cpu")
    phases = torch.zeros(rotary.d_head, dtype=torch.float64, device="cpu")
    root = 0.5**0.5
    for (first, second), angle in zip(rotary.planes.tolist(), rotary.frequencies, strict=True):
        vectors[first, first], vectors[second, first] = root, -1j * root
        vectors[first, second], vectors[second, second] = root, 1j * root
        phases[first], phases[second] = angle, -angle
    return vectors, phases
