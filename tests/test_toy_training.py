"""Training many toy models in one loop: alone as in a batch, resumable, and it learns."""

import os
import signal

import numpy as np
import pytest
import torch

from svf_helpers.alignment import rank_alignment
from svf_helpers.features import isotropic_dictionary
from svf_helpers.qk import qk_svd
from svf_helpers.toy import Batch, Gradient, Parameters, ToyConfig, initial_weights, losses, train
from svf_helpers.toy.model import strengths
from svf_helpers.toy.stream import UniformStream
from svf_helpers.toy.training import learning_rate
from tests.refusals import refuses

CONFIG = ToyConfig(keys=128)
ARRAYS = ("W", "b", "W_Q", "W_K")


class Draws:
    """A stream of prepared draws, the same for any instance; may interrupt."""

    def __init__(self, instances, shape=None, seed=0, interrupt_at=None, device="cpu", signal_at=None):
        self.instances, self.seed, self.at = instances, seed, 0
        self.shape = shape or (CONFIG.n, CONFIG.tokens)
        self.interrupt_at, self.signal_at, self.device = interrupt_at, signal_at, device
        self.handed_out = []

    def next(self):
        if self.at == self.interrupt_at:
            raise KeyboardInterrupt
        generator = torch.Generator().manual_seed(1000 * self.seed + self.at)
        if self.at == self.signal_at:
            os.kill(os.getpid(), signal.SIGINT)
        self.at += 1
        u = torch.rand(self.shape, generator=generator).expand(self.instances, *self.shape).clone()
        self.handed_out.append(u.clone())
        return u.to(self.device)

    def state(self):
        return np.asarray(self.at)

    def restore(self, state):
        self.at = int(state)


def assert_same(run, other, tolerance=0.0):
    for name in ARRAYS:
        torch.testing.assert_close(getattr(run, name), getattr(other, name), rtol=0, atol=tolerance)
    if run.history is not None:
        for ours, theirs in zip(run.history, other.history, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def test_an_instance_gives_the_same_alone_as_in_a_batch():
    configs = [
        ToyConfig(keys=128, p=0.52),
        ToyConfig(keys=128, p=0.1, lam=1.0),
        ToyConfig(keys=128, p=1.0, pairs={(0, 4): 10.0}),
        ToyConfig(keys=128, p=0.52),
    ]
    seeds = [5, 5, 2, 9]
    batch = train(configs, 200, seeds, device="cpu")
    assert (batch.configs, batch.seeds, len(batch)) == (tuple(configs), tuple(seeds), 4)
    for i in range(4):
        alone = train(configs[i], 200, seeds[i], device="cpu")
        for name in ARRAYS:
            torch.testing.assert_close(getattr(batch, name)[i], getattr(alone, name)[0], rtol=0, atol=1e-4)
    assert (batch.W[0] - batch.W[3]).abs().max() > 0.1  # another seed, another model
    assert (batch.W[0] - batch.W[1]).abs().max() > 0.01  # another p


def test_one_configuration_many_seeds_and_the_other_way_round():
    run = train(CONFIG, 2, [0, 1, 2], device="cpu")
    assert run.configs == (CONFIG,) * 3
    assert run.where(seed=1) == [1]
    sweep = train([CONFIG, ToyConfig(keys=128, p=0.1)], 2, device="cpu")
    assert sweep.seeds == (0, 0)
    assert sweep.where(p=0.1) == [1]
    assert sweep.where(p=0.1, seed=0) == [1]
    assert sweep.where(pairs={(0, 4): 24, (1, 5): 21, (2, 6): 18, (3, 7): 15}) == [0, 1]
    with refuses(ValueError, "foo"):
        sweep.where(foo=1)
    U, S, V = sweep.svd()
    torch.testing.assert_close((U * S[:, None]) @ V.mT, sweep.W_Q @ sweep.W_K.mT)


def test_history_at_its_steps_and_recording_changes_nothing():
    plain = train(CONFIG, 30, [0, 1], device="cpu")
    assert plain.history is None
    run = train(CONFIG, 30, [0, 1], record=np.array([30, 0, 7]), device="cpu")
    for name in ARRAYS:
        assert torch.equal(getattr(run, name), getattr(plain, name))
        assert getattr(run.history, name).shape == (3, *getattr(run, name).shape)
        assert torch.equal(getattr(run.history, name)[2], getattr(run, name))
    assert run.history.steps.tolist() == [0, 7, 30]
    for array, start in zip(run.history[1:5], initial_weights(CONFIG, [0, 1]), strict=True):
        assert torch.equal(array[0], start)
    # the loss belongs to the recorded weights, on the draws of that step
    stream = UniformStream([0, 1], (CONFIG.n, CONFIG.tokens), torch.device("cpu"))
    batch = Batch.of([CONFIG] * 2)
    for _ in range(8):
        x = strengths(stream.next(), batch.p)
    expected = losses(Parameters(*(array[1] for array in run.history[1:5])), x, batch)
    torch.testing.assert_close((run.history.loss_rec[1], run.history.loss_attn[1]), expected)


def test_no_steps():
    run = train(CONFIG, 0, 3, record=[0], device="cpu")
    assert torch.equal(run.W, initial_weights(CONFIG, [3]).W)
    assert run.history.steps.tolist() == [0]


@pytest.mark.parametrize("interrupt_at", [0, 5, 12])
@pytest.mark.parametrize("how", ["stream", "signal"])
def test_an_interrupted_run_goes_on_exactly(tmp_path, interrupt_at, how):
    record = [0, 5, 6, 20]
    whole = train(CONFIG, 20, [0, 1], record=record, stream=Draws(2), device="cpu")
    place = tmp_path / "deep" / "place.npz"
    when = {"interrupt_at" if how == "stream" else "signal_at": interrupt_at}
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, 20, [0, 1], record=record, stream=Draws(2, **when), checkpoint=place, device="cpu")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with np.load(place) as stored:
        assert int(stored["at"]) == interrupt_at + (how == "signal")  # a step that has begun is finished
    rest = Draws(2)
    resumed = train(CONFIG, 20, [0, 1], record=record, stream=rest, checkpoint=place, device="cpu")
    assert_same(resumed, whole)
    assert len(rest.handed_out) <= 21 - interrupt_at  # went on, did not start again
    assert_same(train(CONFIG, 20, [0, 1], record=record, stream=Draws(2), checkpoint=place, device="cpu"), whole)


def test_a_run_killed_between_checkpoints_goes_on_exactly_with_its_own_streams(tmp_path, monkeypatch):
    place, options = tmp_path / "place.npz", {"record": [0, 3, 10, 15], "device": "cpu"}
    whole = train(CONFIG, 15, [4, 2, 4], **options)
    plain = UniformStream.next
    calls = []

    def dies(self):
        calls.append(1)
        if len(calls) == 9:
            raise RuntimeError("the machine stops")
        return plain(self)

    monkeypatch.setattr(UniformStream, "next", dies)
    with refuses(RuntimeError, "stops"):
        train(CONFIG, 15, [4, 2, 4], checkpoint=place, checkpoint_every=5, **options)
    monkeypatch.setattr(UniformStream, "next", plain)
    with np.load(place) as stored:
        assert int(stored["at"]) == 5
    assert_same(train(CONFIG, 15, [4, 2, 4], checkpoint=place, **options), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["place.npz"]


def test_a_foreign_or_damaged_checkpoint_is_refused_and_kept(tmp_path):
    place = tmp_path / "place.npz"
    train(CONFIG, 3, 0, checkpoint=place, device="cpu")
    before = place.read_bytes()
    for config, steps, seed, record in (
        (ToyConfig(keys=128, p=0.1), 3, 0, None), (CONFIG, 4, 0, None), (CONFIG, 3, 1, None), (CONFIG, 3, 0, [1]),
    ):  # fmt: skip
        with refuses(ValueError, "place.npz", "another run"):
            train(config, steps, seed, record=record, checkpoint=place, device="cpu")
    assert place.read_bytes() == before
    for damage in (b"", b"nothing", before[: len(before) // 2]):
        place.write_bytes(damage)
        with refuses(ValueError, "place.npz", "whole checkpoint"):
            train(CONFIG, 3, 0, checkpoint=place, device="cpu")


def test_a_fixed_dictionary_stays_and_the_head_learns():
    W = isotropic_dictionary().float()
    config = ToyConfig(keys=128, scale_logits=True, lr=1e-2, schedule="constant")
    run = train(config, 150, [0, 1], dictionary=W, record=[0, 150], device="cpu")
    assert torch.equal(run.W, W.expand(2, 10, 20))
    assert not run.b.any()
    assert (run.history.loss_attn[1] < 0.9 * run.history.loss_attn[0]).all()
    own = train(config, 3, [0, 1], dictionary=torch.stack([W, 2 * W]), device="cpu")
    assert torch.equal(own.W[1], 2 * W)


def test_without_pairs_the_features_learn_and_the_head_only_decays():
    config = ToyConfig(keys=128, pairs={}, weight_decay=0.0)
    run = train(config, 50, 0, record=[0, 50], device="cpu")
    assert torch.equal(run.W_Q[0], initial_weights(config, [0]).W_Q[0])
    assert run.history.loss_rec[1] < 0.8 * run.history.loss_rec[0]
    assert not run.history.loss_attn.any()


def test_pairs_come_to_lie_on_the_singular_vectors_of_their_rank():
    """The paper's claim, features and head learning together, on a model that a test has time for."""
    config = ToyConfig(n=8, d=6, r=6, keys=256, lr=1e-2, pairs={(1, 3): 6.0, (0, 2): 12.0})
    run = train(config, 1500, [0, 1, 2, 3], record=[0], device="cpu")
    result = rank_alignment(run.W, run.svd(), config.ranked_pairs)
    assert result.query.min() > 0.95
    assert result.key.min() > 0.95
    assert not result.tied.any()
    S = run.svd().S
    assert (S[:, 2] < 0.05 * S[:, 1]).all()
    start = rank_alignment(run.history.W[0], qk_svd(run.history.W_Q[0], run.history.W_K[0]), config.ranked_pairs)
    assert start.mean.mean() < 0.6


def test_default_pairs_align_on_fixed_even_features():
    """Corollary 1, with the default's four pairs."""
    config = ToyConfig(keys=128, lr=3e-2)
    run = train(config, 300, [0, 1, 2, 3], dictionary=isotropic_dictionary(), device="cpu")
    result = rank_alignment(run.W, run.svd(), config.ranked_pairs)
    assert torch.minimum(result.query, result.key).min() > 0.99


def test_learning_rate():
    assert learning_rate(CONFIG, 0, 1000) == CONFIG.lr
    assert learning_rate(CONFIG, 500, 1000) == pytest.approx(CONFIG.lr * 0.5**0.5)
    assert 0 < learning_rate(CONFIG, 999, 1000) < 2e-3 * CONFIG.lr
    rates = [learning_rate(CONFIG, step, 50) for step in range(50)]
    assert rates == sorted(rates, reverse=True)
    assert learning_rate(ToyConfig(schedule="constant"), 999, 1000) == CONFIG.lr


def test_the_first_step_is_adamws():
    config, draws = ToyConfig(keys=128, weight_decay=0.1, lr=1e-2), Draws(1)
    run = train(config, 1, 0, stream=draws, device="cpu")
    start, batch = initial_weights(config, [0]), Batch.of([config])
    gradient = Parameters(*(torch.zeros_like(t) for t in start))
    Gradient(batch, gradient)(start, strengths(draws.handed_out[0], batch.p))
    for name in ARRAYS:
        w, g = getattr(start, name), getattr(gradient, name)
        # bias-corrected moments of one gradient are g and g^2
        by_hand = w * (1 - config.lr * config.weight_decay) - config.lr * g / (g.abs() + 1e-8)
        torch.testing.assert_close(getattr(run, name), by_hand, rtol=0, atol=1e-5)


def test_many_steps_are_adamws_on_the_cosine():
    draws = Draws(1)
    run = train(CONFIG, 20, 0, stream=draws, device="cpu")
    params = Parameters(*(torch.nn.Parameter(t.clone()) for t in initial_weights(CONFIG, [0])))
    batch, optimiser = Batch.of([CONFIG]), torch.optim.AdamW(params, lr=CONFIG.lr, weight_decay=CONFIG.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: np.cos(np.pi / 2 * s / 20))
    for u in draws.handed_out:
        loss_rec, loss_attn = losses(params, strengths(u, batch.p), batch)
        optimiser.zero_grad()
        (loss_rec + CONFIG.lam * loss_attn).sum().backward()
        optimiser.step()
        schedule.step()
    for name in ARRAYS:
        torch.testing.assert_close(getattr(run, name), getattr(params, name).detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"steps": -1}, ("steps = -1",)),
        ({"steps": 1.5}, ("steps = 1.5",)),  # would never be reached
        ({"seed": -1}, ("seed", [-1])),
        ({"seed": 0.5}, ("seed", 0.5)),
        ({"seed": []}, ("seed",)),
        ({"config": []}, ("configuration",)),
        ({"config": [CONFIG] * 2, "seed": [0, 1, 2]}, ("2 configurations", "3 seeds")),
        ({"config": [CONFIG, ToyConfig()]}, ("keys", 128, 1024)),
        ({"record": [4]}, ("record", "0..3", 4)),
        ({"record": [-1]}, ("record", "0..3", -1)),
        ({"checkpoint_every": 0}, ("checkpoint_every = 0", 1)),
        ({"dictionary": torch.zeros(20, 10)}, ("dictionary", (20, 10), (10, 20))),
        ({"dictionary": torch.full((10, 20), torch.nan)}, ("dictionary", "finite")),
        ({"dictionary": torch.zeros(10, 20), "config": ToyConfig(pairs={})}, ("dictionary", "pairs")),
        ({"device": "abacus"}, ("device = 'abacus'",)),
    ],
)
def test_what_cannot_be_trained_is_refused(arguments, told):
    with refuses(ValueError, *told):
        train(**({"config": CONFIG, "steps": 3, "device": "cpu"} | arguments))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_gpu_equals_cpu_on_the_same_strengths():
    on_cpu = train(CONFIG, 100, [0, 1], record=[0, 100], stream=Draws(2), device="cpu")
    on_gpu = train(CONFIG, 100, [0, 1], record=[0, 100], stream=Draws(2, device="cuda"), device="cuda")
    for name in ARRAYS:
        torch.testing.assert_close(getattr(on_gpu, name).cpu(), getattr(on_cpu, name), rtol=0, atol=1e-3)
    own = train(CONFIG, 20, [0, 1], device="cuda")
    alone = train(CONFIG, 20, 1, device="cuda")
    torch.testing.assert_close(own.W[1], alone.W[0], rtol=0, atol=1e-4)
