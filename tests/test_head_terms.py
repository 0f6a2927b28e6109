"""The check of the sum, heads named twice, and what is never built."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from svf_helpers.factored_svd import seen_from
from svf_helpers.ioi import CircuitHead
from svf_helpers.language_models import head_bases, head_moments, head_terms_batch, load_model, reading_directions
from svf_helpers.language_models import terms as terms_module
from svf_helpers.language_models.ablation_effects import ablation_effect, select_terms
from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
from svf_helpers.language_models.frames import Frames, frames_of_weights, svd_between
from svf_helpers.language_models.heads import LayerHeads
from svf_helpers.language_models.random_basis import random_rank_one_basis
from svf_helpers.pocket import pocket_prompts
from svf_helpers.qk import qk_svd
from svf_helpers.rope import qk_svd_at_offset
from tests.refusals import refuses
from tests.tiny_models import save, some_tokens


@pytest.mark.parametrize(
    ("off", "largest", "fine"),
    [
        (3.9e-4, 0.0, True),  # sizes 4: a ten-thousandth of them is allowed
        (4.1e-4, 0.0, False),
        (float("nan"), 0.0, False),
        (2.0e-3, 1e3, True),  # float32 scores of 1000 are themselves known to 2e-3 only
        (3.0e-3, 1e3, False),
    ],
)
def test_the_sum_is_held_to_a_ten_thousandth_of_the_sizes(off, largest, fine):
    terms = torch.tensor([[[[3.0, -1.0]]]], dtype=torch.float64)
    relative, largest = (torch.full((1, 1, 1), value, dtype=torch.float64) for value in (2 + off, largest))
    call = lambda: terms_module._check_sum(  # noqa: E731
        terms, relative, largest, 0, [0], torch.tensor([[1]]), torch.tensor([[1]])
    )
    if fine:
        call()
    else:
        with refuses(ArithmeticError, "layer 0 head 0", "query 1", "key 1", f"{2 + off:.6g}"):
            call()


def test_a_head_named_twice_is_there_twice(tmp_path):
    model = load_model(save("gpt2", tmp_path), device="cpu")
    found = head_terms_batch(model, some_tokens(2, 8), 7, 2, heads=[(0, 1), (1, 2), (0, 1)])
    assert torch.equal(found.terms[:, 0], found.terms[:, 2])
    torch.testing.assert_close(found.terms.sum(-1), found.relative, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", ["plain", "lengths from 1 to 1e-8", "two columns 1e-3 apart", "1e-6 apart"])
def test_frames_are_those_of_the_qr_whatever_the_condition(case):
    W = torch.randn(3, 40, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if case.startswith("lengths"):
        W = W * torch.logspace(0, -8, 8, dtype=torch.float64)
    elif "apart" in case:
        W[1, :, 1] = W[1, :, 0] + (1e-3 if "1e-3" in case else 1e-6) * W[1, :, 1]
    found = frames_of_weights(LayerHeads(W, W.flip(0), None, 1.0))
    for F, of in zip(found, (W, W.flip(0)), strict=True):
        R = torch.linalg.qr(of, mode="r").R
        R = R * R.diagonal(dim1=-2, dim2=-1).sign()[..., None]
        F = F * F.diagonal(dim1=-2, dim2=-1).sign()[..., None]
        torch.testing.assert_close(F, R, rtol=1e-6, atol=1e-12)
        U = of @ torch.linalg.inv(F)
        torch.testing.assert_close(U.mT @ U, torch.eye(8).double().expand(3, 8, 8), rtol=0, atol=1e-7)


@pytest.mark.parametrize("d_model", [8, 40])
def test_singular_vectors_are_those_of_the_qk_matrix_signs_included(d_model):
    """The two ways to the SVD of a head follow one rule for signs."""
    W_Q, W_K = torch.randn(2, 30, d_model, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    U, S, V = qk_svd(W_Q, W_K)
    svd = svd_between(frames_of_weights(LayerHeads(W_Q, W_K, None, 1.0)), toward=seen_from(W_Q))
    torch.testing.assert_close(svd.S, S)
    torch.testing.assert_close(W_Q @ svd.to_query.mT, U, rtol=0, atol=1e-7)
    torch.testing.assert_close(W_K @ svd.to_key.mT, V, rtol=0, atol=1e-7)
    other = svd_between(frames_of_weights(LayerHeads(W_Q, W_K, None, 1.0)))  # its own rule, of head space alone
    agree = (W_Q @ other.to_query.mT * U).sum(-2)
    torch.testing.assert_close(agree.abs(), torch.ones_like(agree))
    assert 0.3 < (agree > 0).double().mean() < 0.7


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-pythia"])
def test_bases_of_a_trained_model_are_its_qk_svd_signs_included(name):
    model = load_model(name, device="cpu")
    plain, offset = (head_bases(model, basis) for basis in ("weights", "offset"))
    for layer, head in plain.heads:
        heads = plain.layers[layer].heads
        svd = qk_svd(heads.W_Q[head], heads.W_K[head])
        for ours, theirs in zip(reading_directions(plain, layer, head), (svd.U, svd.V), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
        torch.testing.assert_close(plain.layers[layer].svd.S[head], svd.S)
    if heads.rotary is not None:  # and at an offset, whose coordinates of query and key are signed in the same way
        q, k = torch.randn(2, 1, 1, model.cfg.n_heads, 16, generator=torch.Generator().manual_seed(0)).double()
        x, S, _ = offset.layers[layer].coordinates(q, k, torch.tensor([[5]]))
        at_five = qk_svd_at_offset(heads.W_Q, heads.W_K, heads.rotary, 5)
        token = (q[0, 0, :, None] @ torch.linalg.pinv(heads.W_Q))[:, 0]  # the token whose query vector this is
        torch.testing.assert_close(x[0, 0], (token[:, None] @ at_five.U)[:, 0], rtol=0, atol=1e-6)


def test_flipping_pairs_of_vectors_changes_no_sum_and_no_term(tmp_path):
    model, tokens = load_model(save("gpt2", tmp_path), device="cpu"), some_tokens(2, 8)
    bases = head_bases(model, "weights", [(0, 1)])
    of_layer = bases.layers[0]
    signs = torch.tensor([1.0, -1.0] * 4).double()[:, None]
    svd = of_layer.svd._replace(to_query=signs * of_layer.svd.to_query, to_key=signs * of_layer.svd.to_key)
    flipped = replace(bases, layers={0: replace(of_layer, svd=svd)})
    ours, theirs = (head_terms_batch(model, tokens, 7, 2, basis=one) for one in (bases, flipped))
    assert not torch.equal(ours.query, theirs.query)
    assert torch.equal(ours.terms, theirs.terms)


def test_signs_do_not_depend_on_the_frames():
    """A flipped pair of singular vectors changes no term, but it would change which null a seed draws."""
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(3, 6, 6, generator=generator, dtype=torch.float64).triu() for _ in range(2))
    flips = [torch.where(torch.rand(3, 6, 1, generator=generator) < 0.5, -1.0, 1.0).double() for _ in range(2)]
    found = svd_between(Frames(query, key)), svd_between(Frames(flips[0] * query, flips[1] * key))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


class Squares(TorchDispatchMode):
    """Notes operations that compute a tensor of the model's width squared; views of what is there do not count."""

    VIEWS = ("view", "detach", "alias", "t.default", "slice", "select", "transpose", "permute", "as_strided",
             "_to_copy", "clone")

    def __init__(self, width: int):
        super().__init__()
        self.width, self.built = width, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not any(view in str(func) for view in self.VIEWS):
            parts = out if isinstance(out, (tuple, list)) else (out,)
            self.built += [str(func) for part in parts
                           if isinstance(part, torch.Tensor) and part.shape[-2:] == (self.width, self.width)]
        return out


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_no_matrix_of_the_models_width_squared_is_built(basis, tmp_path):
    model = load_model(save("neox", tmp_path), device="cpu")
    moments = head_moments(model, some_tokens(20, 20))
    with Squares(model.cfg.d_model) as watch:
        head_bases(model, basis, None, moments)
    assert watch.built == []
    with Squares(model.cfg.d_model) as watch:  # the watch does see one
        model.blocks[0].attn.W_Q[0] @ model.blocks[0].attn.W_K[0].mT
    assert watch.built


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-pythia"])
@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_nothing_depends_on_torchs_global_settings(basis, name):
    """The default dtype, the default device and whether gradients are recorded."""
    model, prompts = load_model(name, device="cpu"), pocket_prompts(4)
    circuit, sample = [CircuitHead("END→S2", 1, 1, "END", "S2")], by_length(pocket_prompts(12, 1_000, "train"))

    def measured():
        moments = head_moments(model, sample)
        bases = head_bases(model, basis, [(1, 1)], moments)
        found = circuit_terms(model, prompts, circuit, bases, draws=2)
        if basis == "offset":
            return found
        random = random_rank_one_basis(bases, torch.Generator().manual_seed(0)).layers[1].svd
        taken = select_terms(found.terms, found.n_sv, "random", torch.Generator().manual_seed(0))
        return (*found, *random, taken, *ablation_effect(model, prompts, circuit, bases, taken))

    expected = measured()
    if name == "pocket-gpt2":
        torch.set_default_device("meta")  # where nothing can be computed
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            found = measured()
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
