"""The toy model's formulas: data, losses and the gradient written by hand."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from svf_helpers.toy import Batch, Gradient, Parameters, ToyConfig, head_logits, initial_weights, losses, target_logits
from svf_helpers.toy.model import strengths, strengths_
from svf_helpers.toy.stream import UniformStream
from tests.refusals import refuses

SMALL = {"n": 7, "d": 5, "r": 3, "c": 3, "keys": 12}
MIXED = [
    ToyConfig(**SMALL, p=0.5, lam=4.0, pairs={(0, 4): 6.0, (1, 5): -3.0}),
    ToyConfig(**SMALL, p=1.0, lam=0.3, pairs={(2, 2): 5.0}),
    ToyConfig(**SMALL, p=0.2, lam=0.0, pairs={(0, 4): 6.0, (0, 5): 3.0, (3, 4): 1.0}),
]


def case(configs, seed=0, biased=True):
    """Parameters and strengths in float64."""
    params = Parameters(*(w.double() for w in initial_weights(configs[0], range(seed, seed + len(configs)))))
    generator = torch.Generator().manual_seed(seed)
    if biased:
        params = params._replace(b=0.3 * torch.randn(params.b.shape, generator=generator, dtype=torch.float64))
    batch = Batch.of(configs, dtype=torch.float64)
    u = torch.rand(len(configs), configs[0].n, configs[0].tokens, generator=generator, dtype=torch.float64)
    return params, strengths(u, batch.p), batch


def test_strengths_have_their_law():
    p, draws = 0.3, torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = strengths(draws, p)
    present = x[x > 0]
    assert abs(len(present) / len(x) - p) < 4 * math.sqrt(p * (1 - p) / len(x))
    assert x.mean().item() == pytest.approx(p / 2, abs=4 * math.sqrt(p / 3 / len(x)))
    assert stats.kstest(present.numpy(), "uniform").pvalue > 0.01
    assert torch.equal(strengths(draws, 1.0), draws)


def test_strengths_in_place_agree():
    u = torch.rand(3, 4, 50, generator=torch.Generator().manual_seed(0))
    p = torch.tensor([1.0, 0.5, 0.02])[:, None, None]
    torch.testing.assert_close(strengths_(u.clone(), p), strengths(u, p), rtol=0, atol=1e-5)


def test_the_stream_is_uniform_and_independent_between_tokens_and_seeds():
    drawn = UniformStream([0, 1], (20, 1280), torch.device("cpu")).next().clone().numpy()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    for one in drawn:
        assert stats.kstest(one.ravel(), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 4 / math.sqrt(drawn[0].size)
    assert abs(np.corrcoef(drawn[0, :, :-1].ravel(), drawn[0, :, 1:].ravel())[0, 1]) < 4 / math.sqrt(drawn[0].size)


def test_a_seeds_stream_depends_on_the_seed_alone():
    cpu = torch.device("cpu")
    together = UniformStream([7, 3, 7, 5], (3, 5), cpu)  # 15 draws: an odd number of half words
    for _ in range(3):
        batch = together.next().clone()
    assert torch.equal(batch[0], batch[2])
    for row, seed in zip(batch, (7, 3, 7, 5), strict=True):
        alone = UniformStream([seed], (3, 5), cpu)
        for _ in range(3):
            expected = alone.next()[0]
        assert torch.equal(row, expected)
    assert not torch.equal(batch[0], batch[1])


def test_a_stream_goes_on_from_its_state():
    stream = UniformStream([1, 2], (3, 4), torch.device("cpu"))
    stream.next()
    held = stream.state()
    first, second = stream.next().clone(), stream.next().clone()
    stream.restore(held)
    assert torch.equal(stream.next(), first)
    fresh = UniformStream([1, 2], (3, 4), torch.device("cpu"))
    fresh.restore(held)
    fresh.next()
    assert torch.equal(fresh.next(), second)


def test_targets_equal_the_full_product():
    _, x, batch = case(MIXED)
    Q, c = batch.queries, batch.c
    s = target_logits(x, batch)
    for i, config in enumerate(MIXED):
        T = config.targets.double()
        for k in range(c):
            keys = x[i, :, Q + k * Q : Q + (k + 1) * Q]
            torch.testing.assert_close(s[i, k], torch.einsum("iq,ij,jq->q", x[i, :, :Q], T, keys))


@pytest.mark.parametrize("scale_logits", [False, True])
def test_losses_equal_a_plain_loop(scale_logits):
    configs = [ToyConfig(**{**c.to_dict(), "scale_logits": scale_logits}) for c in MIXED]
    params, x, batch = case(configs)
    loss_rec, loss_attn = losses(params, x, batch)
    for i, config in enumerate(configs):
        W, b, W_Q, W_K = (array[i].numpy() for array in params)
        strength, T = x[i].numpy(), config.targets.numpy()
        Q = config.queries
        squares = [
            (max(0.0, W[:, f] @ (W @ token) + b[f]) - token[f]) ** 2 for token in strength.T for f in range(config.n)
        ]
        entropies = []
        for q in range(Q):
            query = strength[:, q]
            keys = [strength[:, Q + k * Q + q] for k in range(config.c)]
            logit = np.array([(W @ query) @ W_Q @ W_K.T @ (W @ key) for key in keys])
            logit = logit / math.sqrt(config.r) if scale_logits else logit
            target = np.array([query @ T @ key for key in keys])
            attention, wanted = (np.exp(a) / np.exp(a).sum() for a in (logit, target))
            entropies.append(-(wanted * np.log(attention)).sum())
            torch.testing.assert_close(head_logits(params, params.W @ x, batch)[i, :, q], torch.from_numpy(logit))
        assert loss_rec[i].item() == pytest.approx(np.mean(squares), rel=1e-12)
        assert loss_attn[i].item() == pytest.approx(np.mean(entropies), rel=1e-12)


@pytest.mark.parametrize("kind", ["mixed", "one", "fixed features", "no pairs", "scaled"])
def test_gradient_equals_automatic_differentiation(kind):
    configs = {
        "one": MIXED[:1],
        "no pairs": [ToyConfig(**SMALL, p=p, pairs={}) for p in (0.3, 0.9)],
        "scaled": [ToyConfig(**{**c.to_dict(), "scale_logits": True}) for c in MIXED],
    }.get(kind, MIXED)
    features = kind != "fixed features"
    out = None
    for seed in (0, 10):  # twice with the same working arrays: nothing may be left over
        params, x, batch = case(configs, seed)
        if out is None:
            out = Parameters(*(torch.zeros_like(t) for t in params))
            gradient = Gradient(batch, out, features=features)
        before = x.clone()
        with torch.no_grad():
            gradient(params, x)
        assert torch.equal(x, before)
        tracked = Parameters(*(t.clone().requires_grad_() for t in params))
        loss_rec, loss_attn = losses(tracked, x, batch)
        (loss_rec + batch.lam.flatten() * loss_attn).sum().backward()
        for name, ours, theirs in zip(Parameters._fields, out, tracked, strict=True):
            if not features and name in ("W", "b") or kind == "no pairs" and name in ("W_Q", "W_K"):
                assert not ours.any()
            else:
                torch.testing.assert_close(ours, theirs.grad, rtol=1e-10, atol=1e-12)


def test_initial_weights():
    config = ToyConfig(n=200, d=100, r=50, pairs={(0, 1): 1.0})
    first, second = initial_weights(config, [3, 4]), initial_weights(config, [4])
    for name in ("W", "W_Q", "W_K"):
        array = getattr(first, name)[0]
        expected = math.sqrt(2 / sum(array.shape))
        assert array.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * array.numel()))
        assert abs(array.mean().item()) < 5 * expected / math.sqrt(array.numel())
        assert torch.equal(getattr(first, name)[1], getattr(second, name)[0])  # of the seed alone
        assert not torch.equal(getattr(first, name)[0], getattr(first, name)[1])
    assert not first.b.any()
    assert not torch.equal(first.W_Q, first.W_K)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"n": 0}, ("n = 0", 1)),
        ({"n": 20.5}, ("n = 20.5",)),
        ({"d": 0}, ("d = 0",)),
        ({"r": 0}, ("r = 0",)),
        ({"r": 11}, ("r = 11", "d = 10")),
        ({"c": 1}, ("c = 1", "c >= 2")),
        ({"c": 3}, ("keys = 1024", "c = 3")),
        ({"keys": 0}, ("keys = 0",)),
        ({"p": 0}, ("p = 0.0",)),
        ({"p": 1.1}, ("p = 1.1",)),
        ({"p": math.nan}, ("p = nan",)),
        ({"p": "half"}, ("p = 'half'",)),
        ({"lam": -1}, ("lam = -1",)),
        ({"lam": math.inf}, ("lam = inf",)),
        ({"lr": 0}, ("lr = 0",)),
        ({"weight_decay": -0.1}, ("weight_decay = -0.1",)),
        ({"schedule": "linear"}, ("schedule = 'linear'", "cosine", "constant")),
        ({"pairs": {(0, 20): 1.0}}, ("pair (0, 20)", "0..19", "n = 20")),
        ({"pairs": {(-1, 0): 1.0}}, ("pair (-1, 0)", "0..19")),
        ({"pairs": [(0, 1, 2.0), (0, 1, 3.0)]}, ((0, 1, 2.0), (0, 1, 3.0))),
        ({"pairs": [(0, 1)]}, ("pairs", [(0, 1)])),
        ({"pairs": {3: 1.0}}, ("pairs", {3: 1.0})),
        ({"pairs": {(0, 0.5): 1.0}}, ("pairs", {(0, 0.5): 1.0})),
        ({"pairs": None}, ("pairs", None)),
        ({"pairs": {(0, 1): math.nan}}, ("pair (0, 1)", "target", "nan")),
    ],
)
def test_configurations_of_no_model_are_refused_by_name(fields, told):
    with refuses(ValueError, *told):
        ToyConfig(**fields)


def test_configurations_as_plain_data():
    config = ToyConfig(n=np.int64(12), p=1, lam=np.float32(2), pairs=[(0, 4, np.float64(3)), (1, 5, -8)])
    assert ToyConfig(**json.loads(json.dumps(config.to_dict()))) == config
    assert json.dumps(config.to_dict()) == json.dumps(ToyConfig(n=12, p=1.0, lam=2.0, pairs=config.pairs).to_dict())
    assert hash(config) == hash(ToyConfig(**config.to_dict()))
    assert config.ranked_pairs == ((1, 5), (0, 4))  # a target's size sets its singular value
    assert ToyConfig().ranked_pairs == ((0, 4), (1, 5), (2, 6), (3, 7))
    assert (ToyConfig().queries, ToyConfig().tokens) == (256, 1280)
    T = torch.zeros(12, 12)
    T[0, 4], T[1, 5] = 3, -8
    assert torch.equal(config.targets, T)


@pytest.mark.parametrize(
    "fields",
    [
        {"c": 8}, {"keys": 512}, {"lr": 0.1}, {"schedule": "constant"}, {"weight_decay": 0.0}, {"scale_logits": True},
        {"positions": 40},
    ],
)  # fmt: skip
def test_configurations_that_do_not_fit_in_one_batch_are_refused_by_name(fields):
    with refuses(ValueError, *(f"{name} takes" for name in fields), *fields.values()):
        Batch.of([ToyConfig(), ToyConfig(**fields)])


def test_pairs_and_no_pairs_do_not_mix():
    with refuses(ValueError, "whether there are pairs", True, False):
        Batch.of([ToyConfig(), ToyConfig(pairs={})])
