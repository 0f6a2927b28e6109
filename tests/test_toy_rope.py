"""The toy model with RoPE: logits, targets and gradients, held against the general rotation and a plain loop."""

import math
from dataclasses import replace

import pytest
import torch

from svf_helpers.alignment import rank_alignment
from svf_helpers.rope import band_energy
from svf_helpers.toy import Batch, Gradient, Parameters, ToyConfig, head_logits, initial_weights, losses, target_logits
from svf_helpers.toy import train as train_toy
from svf_helpers.toy.model import strengths
from tests.refusals import refuses

ROPE = ToyConfig(n=8, d=6, r=6, c=3, keys=12, positions=40, pairs={(0, 3): 9.0, (1, 4): 5.0}, bands={(1, 4): 1})
OTHER = ToyConfig(n=8, d=6, r=6, c=3, keys=12, positions=40, p=0.3, lam=0.7, pairs={(2, 5): 4.0})


def case(configs, seed=0):
    """Double-precision weights, strengths and positions of a batch."""
    batch = Batch.of(configs, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(configs, range(len(configs)))
    params = Parameters(*(array.double() for array in weights))
    params.b.copy_(torch.randn(params.b.shape, generator=generator, dtype=torch.float64) / 5)
    first = configs[0]
    u = torch.rand(len(configs), params.W.shape[-1], first.tokens, generator=generator, dtype=torch.float64)
    positions = torch.randint(first.positions, (len(configs), first.tokens), generator=generator)
    return params, strengths(u, batch.p), batch, positions


def test_logits_and_targets_equal_a_plain_loop():
    configs = [ROPE, OTHER]
    params, x, batch, positions = case(configs)
    logits = head_logits(params, params.W @ x, batch, positions)
    targets = target_logits(x, batch, positions)
    Q = ROPE.queries
    for i, config in enumerate(configs):
        turned = config.rotary
        bands = {(a, b): band for a, b, band in config.bands}
        for q in range(Q):
            for k in range(config.c):
                at = Q + k * Q + q
                m, l = positions[i, q], positions[i, at]  # noqa: E741 - the paper's letters
                query = turned.matrix(m) @ params.W_Q[i].T @ params.W[i] @ x[i, :, q]
                key = turned.matrix(l) @ params.W_K[i].T @ params.W[i] @ x[i, :, at]
                assert logits[i, k, q].item() == pytest.approx((query @ key).item(), abs=1e-12)
                target = 0.0
                for a, b, strength in config.pairs:
                    turn = 1.0
                    if (a, b) in bands:
                        theta = 10000 ** (-2 * bands[a, b] / config.r)
                        turn = math.cos(theta * int(m - l))
                    target += (strength * x[i, a, q] * x[i, b, at] * turn).item()
                assert targets[i, k, q].item() == pytest.approx(target, abs=1e-12)


@pytest.mark.parametrize("configs", [[ROPE], [ROPE, OTHER]])
def test_gradient_equals_automatic_differentiation(configs):
    params, x, batch, positions = case(configs)
    out = Parameters(*(torch.full_like(array, float("nan")) for array in params))
    Gradient(batch, out)(params, x.clone(), positions)
    tracked = Parameters(*(array.clone().requires_grad_() for array in params))
    loss_rec, loss_attn = losses(tracked, x, batch, positions)
    (loss_rec + batch.lam.flatten() * loss_attn).sum().backward()
    for ours, theirs in zip(out, tracked, strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-10, atol=1e-12)


def test_scores_depend_on_offsets_alone():
    params, x, batch, positions = case([ROPE])
    t = params.W @ x
    shifted = head_logits(params, t, batch, positions + 17 - 17)
    torch.testing.assert_close(head_logits(params, t, batch, positions), shifted)
    small = positions % 20  # so that there is room to shift
    there, further = (head_logits(params, t, batch, small + step) for step in (0, 19))
    torch.testing.assert_close(there, further, rtol=1e-12, atol=1e-12)
    moved = small.clone()
    moved[:, : batch.queries] += 1
    assert (head_logits(params, t, batch, moved) - there).abs().max() > 1e-3


def test_all_positions_are_drawn_alike():
    tables = Batch.of([ROPE]).rotary
    u = torch.linspace(0, 1, 40_001)[None]  # both ends included, as a stream may give them
    counts = tables.draw(u).flatten().bincount()
    assert counts.numel() == 40
    assert counts.min() >= 999


def test_with_rope_an_instance_gives_the_same_alone_as_in_a_batch():
    run = train_toy([ROPE, OTHER], steps=200, seed=[3, 4], record=[0, 200], device="cpu")
    alone = train_toy(OTHER, steps=200, seed=4, record=[0, 200], device="cpu")
    torch.testing.assert_close(run.W[1], alone.W[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(run.history.loss_attn[:, 1], alone.history.loss_attn[:, 0], rtol=1e-4, atol=1e-5)


def test_an_interrupted_run_with_positions_goes_on_exactly(tmp_path):
    whole = train_toy(ROPE, steps=30, device="cpu")
    place = tmp_path / "place.npz"

    class Cut(Exception):
        pass

    class Stream:
        def __init__(self):
            from svf_helpers.toy.stream import UniformStream

            self.inner, self.left = UniformStream([0], (ROPE.n + 1, ROPE.tokens), torch.device("cpu")), 14

        def next(self):
            self.left -= 1
            if self.left < 0:
                raise Cut
            return self.inner.next()

        def state(self):
            return self.inner.state()

        def restore(self, state):
            self.inner.restore(state)

    with pytest.raises(Cut):
        train_toy(ROPE, steps=30, device="cpu", checkpoint=place, checkpoint_every=7, stream=Stream())
    again = train_toy(ROPE, steps=30, device="cpu", checkpoint=place)
    assert torch.equal(again.W, whole.W)
    assert torch.equal(again.W_K, whole.W_K)


def test_a_positional_pair_goes_to_its_band():
    sizes = {"n": 4, "d": 4, "r": 4, "c": 8, "keys": 512, "positions": 40}
    config = ToyConfig(**sizes, p=0.5, lr=1e-2, pairs={(0, 1): 8.0}, bands={(0, 1): 0})
    run = train_toy(config, steps=600, device="cpu")
    vectors = torch.stack([(run.W_Q.mT @ run.W)[0, :, 0], (run.W_K.mT @ run.W)[0, :, 1]])
    energy = band_energy(vectors, config.rotary)
    assert min(share[0].item() for share in energy) > 0.95
    slow = train_toy(replace(config, bands={}), steps=600, device="cpu")
    energy = band_energy((slow.W_Q.mT @ slow.W)[0, :, 0], config.rotary)
    assert energy[1].item() > 0.9  # a pair without positions takes the slow band
    assert rank_alignment(slow.W, slow.svd(), [(0, 1)]).query.min().item() > 0.9


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"positions": -1}, ("positions = -1",)),
        ({"positions": 1}, ("positions = 1", 0, 2)),
        ({"positions": 40, "r": 5}, ("r = 5", "RoPE")),
        ({"bands": {(0, 4): 1}}, ("bands = ((0, 4, 1),)", "positions = 0")),
        ({"positions": 40, "bands": {(0, 4): 5}}, ("band 5", "pair (0, 4)", "r = 10", "0..4")),
        ({"positions": 40, "bands": {(0, 9): 1}}, ("bands", "pair (0, 9)")),
        ({"positions": 40, "bands": {(0, 4): 1.5}}, ("bands", {(0, 4): 1.5})),
    ],
)
def test_configurations_of_no_model_are_refused_by_name(fields, told):
    with refuses(ValueError, *told):
        ToyConfig(**fields)


def test_positions_are_asked_for():
    params, x, batch, _ = case([ROPE])
    with refuses(ValueError, "RoPE", "positions [I, T]", None):
        target_logits(x, batch)
    with refuses(ValueError, "RoPE", "positions [I, T]", None):
        head_logits(params, params.W @ x, batch)


def test_configurations_as_plain_data():
    assert ToyConfig(**ROPE.to_dict()) == ROPE
    assert ToyConfig().rotary is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_gpu_equals_cpu_on_the_same_strengths():
    params, x, batch, positions = case([ROPE, OTHER])
    out = Parameters(*(torch.zeros_like(array) for array in params))
    Gradient(batch, out)(params, x.clone(), positions)
    on_gpu = Parameters(*(array.cuda() for array in params))
    other = Parameters(*(torch.zeros_like(array) for array in on_gpu))
    Gradient(Batch.of([ROPE, OTHER], "cuda", torch.float64), other)(on_gpu, x.cuda(), positions.cuda())
    for ours, theirs in zip(out, other, strict=True):
        torch.testing.assert_close(ours, theirs.cpu(), rtol=1e-9, atol=1e-10)
