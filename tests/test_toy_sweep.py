"""Batches of toy models of different sizes, and sweeps over any configurations."""

import pytest
import torch

from svf_helpers.toy import Batch, Gradient, Parameters, ToyConfig, initial_weights, losses, sweep, train
from svf_helpers.toy.model import strengths
from svf_helpers.toy.stream import UniformStream
from svf_helpers.toy.sweep import share_batches
from tests.refusals import refuses

SIZES = [ToyConfig(n=7, d=4, r=2, keys=16, pairs={(0, 1): 5.0}), ToyConfig(n=9, d=6, r=6, keys=16, p=1.0, lam=0.5),
         ToyConfig(n=12, d=5, r=3, keys=16, p=0.2)]
ARRAYS = ("W", "b", "W_Q", "W_K")


def own(array, config, name):
    shape = {"W": (config.d, config.n), "b": (config.n,)}.get(name, (config.d, config.r))
    return array[tuple(map(slice, shape))], shape


def test_padded_instances_train_as_they_do_alone_and_padding_stays_zero():
    run = train(SIZES, steps=200, seed=[5, 6, 7], record=[0, 100, 200], device="cpu")
    for i, config in enumerate(SIZES):
        alone = train(config, steps=200, seed=5 + i, record=[0, 100, 200], device="cpu")
        cut = run.only([i])
        for name in ARRAYS:
            padded = getattr(run, name)[i].clone()
            inside, shape = own(padded, config, name)
            torch.testing.assert_close(inside, getattr(alone, name)[0], rtol=1e-4, atol=1e-4)
            assert torch.equal(inside, getattr(cut, name)[0])
            assert tuple(getattr(cut, name).shape[1:]) == shape
            inside.zero_()
            assert not padded.any()
        for name in (*ARRAYS, "loss_rec", "loss_attn"):
            torch.testing.assert_close(getattr(cut.history, name), getattr(alone.history, name), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale_logits", [False, True])
def test_gradient_of_a_padded_batch_equals_automatic_differentiation(scale_logits):
    configs = [ToyConfig(**{**config.to_dict(), "scale_logits": scale_logits}) for config in SIZES]
    batch = Batch.of(configs, dtype=torch.float64)
    params = Parameters(*(array.double() for array in initial_weights(configs, [0, 1, 2])))
    u = UniformStream([0, 1, 2], (12, configs[0].tokens), torch.device("cpu"), [7, 9, 12]).next().double()
    x = strengths(u, batch.p)
    assert not x[0, 7:].any()
    assert x[1, :9].all()  # p = 1: everything is there, but for what only pads
    assert not x[1, 9:].any()
    out = Parameters(*(torch.full_like(array, float("nan")) for array in params))
    Gradient(batch, out)(params, x.clone())
    tracked = Parameters(*(array.clone().requires_grad_() for array in params))
    loss_rec, loss_attn = losses(tracked, x, batch)
    (loss_rec + batch.lam.flatten() * loss_attn).sum().backward()
    for ours, theirs in zip(out, tracked, strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=1e-10, atol=1e-12)


def test_a_sweep_gives_each_configuration_its_own_run():
    configs = [ToyConfig(n=9, keys=32), ToyConfig(keys=32, c=8), ToyConfig(keys=32, r=4), ToyConfig(keys=32, pairs={})]
    runs = sweep(configs, steps=20, seeds=[2, 0], record=[20], device="cpu")
    for config, run in zip(configs, runs, strict=True):
        alone = train(config, steps=20, seed=[2, 0], record=[20], device="cpu")
        assert run.configs == (config, config)
        assert run.seeds == (2, 0)
        for name in ARRAYS:
            assert getattr(run, name).shape == getattr(alone, name).shape
            torch.testing.assert_close(getattr(run, name), getattr(alone, name), rtol=1e-4, atol=1e-5)
        assert run.history.W.shape == alone.history.W.shape


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    configs = [ToyConfig(keys=32), ToyConfig(keys=32, c=8)]
    whole = sweep(configs, steps=12, seeds=[0], device="cpu")
    from svf_helpers.toy import training

    steps_taken = []
    plain = training.learning_rate

    def counted(config, step, steps):
        steps_taken.append((config.c, step))
        if len(steps_taken) == 18:
            raise KeyboardInterrupt
        return plain(config, step, steps)

    monkeypatch.setattr(training, "learning_rate", counted)
    with pytest.raises(KeyboardInterrupt):
        sweep(configs, steps=12, seeds=[0], device="cpu", workdir=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) >= 1
    again = sweep(configs, steps=12, seeds=[0], device="cpu", workdir=tmp_path)
    assert (4, 0) not in steps_taken[18:]  # the first batch was whole: none of its steps is taken again
    for first, second in zip(whole, again, strict=True):
        assert torch.equal(first.W, second.W)


def test_batches_are_few_where_padding_is_free_and_cheap_where_it_is_not():
    configs = [ToyConfig(n=n) for n in (10, 15, 20, 25, 30)] + [ToyConfig(c=c) for c in (2, 8)]
    assert sorted(map(len, share_batches(configs, float("inf")))) == [1, 1, 5]
    exact = share_batches(configs, 1)
    assert sorted(map(len, exact)) == [1] * 7
    for padding in (1, 1.25, 2, 100):
        assert sorted(k for batch in share_batches(configs, padding) for k in batch) == list(range(7))
    rope = [ToyConfig(positions=40, r=r) for r in (4, 10)]
    assert share_batches(rope, float("inf")) == [[0], [1]]


def test_rotary_instances_of_different_n_are_swept_apart_and_refused_in_one_batch():
    """The row of draws after the features places the tokens, so with positions n cannot be padded."""
    configs = [ToyConfig(n=n, d=6, r=4, positions=8, keys=64, pairs={(0, 4): 9.0}) for n in (10, 16)]
    with refuses(ValueError, "with positions", 10, 16):
        train(configs, 5, 0, device="cpu")
    for run, config in zip(sweep(configs, 30, [0], device="cpu"), configs, strict=True):
        alone = train(config, 30, 0, device="cpu")
        for name in ARRAYS:
            torch.testing.assert_close(getattr(run, name), getattr(alone, name), rtol=1e-4, atol=1e-5)


def test_a_stream_of_a_smaller_instance_is_its_own_in_any_batch():
    cpu = torch.device("cpu")
    mixed = UniformStream([1, 1, 2], (9, 11), cpu, [9, 4, 4])
    alone = UniformStream([1], (4, 11), cpu)
    for _ in range(3):
        drawn = mixed.next()
        assert torch.equal(drawn[1, :4], alone.next()[0])
        assert not drawn[1:, 4:].any()
        drawn.mul_(0)  # the training loop overwrites them


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"configs": []}, ("configuration",)),
        ({"configs": [ToyConfig()], "seeds": []}, ("seed",)),
        ({"configs": [ToyConfig()], "padding": 0.5}, ("padding = 0.5", 1)),
    ],
)
def test_what_cannot_be_swept_is_refused(arguments, told):
    with refuses(ValueError, *told):
        sweep(steps=1, device="cpu", **arguments)


def test_dictionaries_and_choices_of_mixed_sizes_are_refused():
    with refuses(ValueError, "dictionary", "n or d"):
        train(SIZES, steps=1, dictionary=torch.zeros(3, 6, 12), device="cpu")
    run = train(SIZES, steps=0, device="cpu")
    with refuses(ValueError, "only", "(n, d, r)", (7, 4, 2), (9, 6, 6)):
        run.only([0, 1])
