"""Leading terms against known features: choice on some sentences, judgement on others; and what removing terms does."""

import pytest
import torch

from svf_helpers.chapters.kit.known_features import KINDS, agreement, patterns, reading_directions
from svf_helpers.chapters.kit.leading_terms import FAMILIES, WAYS, leading_agreement, sample
from svf_helpers.ioi import CircuitHead
from svf_helpers.language_models import head_bases, head_moments, head_terms_batch, load_model
from svf_helpers.language_models.ablation_effects import ablation_effect, select_terms
from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
from svf_helpers.pocket import pocket_prompts
from svf_helpers.pocket.facts import facts
from svf_helpers.rotations import random_rotations
from tests.refusals import refuses

CIRCUIT = (CircuitHead("END→S2", 0, 3, "END", "S2"), CircuitHead("S2→S1+1", 2, 1, "S2", "S1+1"))
HEADS = [(0, 3), (2, 1)]


@pytest.fixture(scope="module")
def model():
    return load_model("pocket-gpt2", device="cpu")


@pytest.fixture(scope="module")
def samples(model):
    return [sample(model, facts(700, 0, split), [0, 2]) for split in ("train", "held-out")]


@pytest.fixture(scope="module")
def prompts():
    return pocket_prompts(12)


@pytest.fixture(scope="module")
def plain(model):
    return head_bases(model, "weights", HEADS)


@pytest.fixture(scope="module")
def found(model, plain, prompts, samples):
    return leading_agreement(model, CIRCUIT, plain, prompts, *samples, draws=30)


def test_chosen_on_one_sample_and_judged_on_the_other(model, plain, prompts, samples, found):
    terms = circuit_terms(model, prompts, CIRCUIT, plain, draws=1).terms
    choose, judge = samples
    for number, head in enumerate(CIRCUIT):
        lead = int(terms[number].mean(0).argmax())
        assert found.order[number, 0] == lead
        for side, reading in enumerate(reading_directions(plain, head.layer, head.head)):
            on_choice = agreement(reading[:, [lead]], choose.directions[head.layer])[0]
            on_judge = agreement(reading[:, [lead]], judge.directions[head.layer])[0]
            torch.testing.assert_close(found.chosen[number, side, 0], on_choice)
            torch.testing.assert_close(found.judged[number, side, 0], on_judge)
            assert found.feature[number, side, 0].tolist() == [on_choice.argmax(), on_choice[: len(KINDS)].argmax()]
            picked = patterns(judge.tokens[head.layer], reading[:, [lead]])
            torch.testing.assert_close(
                found.judged[number, side, 1], agreement(picked, judge.directions[head.layer])[0]
            )
    assert (found.judged[..., 0, :] - found.chosen[..., 0, :]).abs().max() > 0.05  # single names do move
    torch.testing.assert_close(found.cosine()[0, 1, 0, 1], found.judged[0, 1, 0, : len(KINDS)].max())


def test_nulls_go_through_the_same_choice(found):
    assert found.rotated.shape == (2, 2, len(WAYS), len(FAMILIES), 30)
    assert found.random.shape == (2, 2, len(FAMILIES), 30)
    for null in (found.rotated, found.random):
        assert ((null >= 0) & (null <= 1)).all()
        assert null.std(-1).min() > 0


def test_one_rotated_basis_by_hand(model, plain, prompts, samples):
    (head, *_), (choose, judge) = CIRCUIT, samples
    null = leading_agreement(model, [head], plain, prompts, choose, judge, draws=1).rotated[0, :, 0, 1, 0]
    generator = torch.Generator().manual_seed(0)
    turns = [random_rotations(1, 16, generator)[0] for _ in range(2)]
    places = prompts.at(head.destination), prompts.at(head.source)
    terms = head_terms_batch(model, prompts.tokens, *places, basis=plain)
    x, S, y = (part[:, 0].double() for part in (terms.query, terms.S, terms.key))
    lead = int(((x @ turns[0]) * S * (y @ turns[1])).mean(0).argmax())
    for side, (reading, turn) in enumerate(zip(reading_directions(plain, head.layer, head.head), turns, strict=True)):
        turned = (reading @ turn)[:, [lead]]
        feature = int(agreement(turned, choose.directions[0])[0, : len(KINDS)].argmax())
        torch.testing.assert_close(null[side], agreement(turned, judge.directions[0])[0, feature])


def test_a_seed_decides_the_nulls_and_nothing_else(model, plain, prompts, samples, found):
    again, other = (leading_agreement(model, CIRCUIT, plain, prompts, *samples, draws=30, seed=seed) for seed in (0, 1))
    for name, value in found._asdict().items():
        assert torch.equal(value, getattr(again, name))
        assert torch.equal(value, getattr(other, name)) == (name not in ("rotated", "random"))


def test_whitened_bases_have_readings_of_their_own(model, prompts, samples, found):
    moments = head_moments(model, by_length(pocket_prompts(40, 1_000, "train")))
    white = leading_agreement(model, CIRCUIT, head_bases(model, "whitened", HEADS, moments), prompts, *samples, draws=2)
    assert (white.judged - found.judged).abs().max() > 0.05


@pytest.mark.parametrize("raw", [True, False])
def test_patterns_are_taken_with_the_moments_that_the_bases_were_whitened_with(raw, model, prompts, samples):
    (head, *_), (choose, judge) = CIRCUIT, samples
    moments = head_moments(model, by_length(pocket_prompts(40, 1_000, "train")))
    bases = head_bases(model, "whitened", HEADS, moments if raw else moments.centred())
    got = leading_agreement(model, [head], bases, prompts, choose, judge, draws=2, raw_queries=raw)
    for side, reading in enumerate(reading_directions(bases, head.layer, head.head)):
        of_lead = reading[:, [int(got.order[0, 0])]]
        by_hand = {
            centred: agreement(patterns(judge.tokens[head.layer], of_lead, centred), judge.directions[head.layer])[0]
            for centred in (True, False)
        }
        assert not torch.allclose(by_hand[True], by_hand[False], atol=1e-3)
        torch.testing.assert_close(got.judged[0, side, WAYS.index("pattern")], by_hand[side == 1 or not raw])


def test_a_rotary_head_is_read_at_the_median_offset_of_its_pairs(prompts):
    turning, head = load_model("pocket-pythia", device="cpu"), CircuitHead("END→S2", 1, 1, "END", "S2")
    one = sample(turning, facts(700, 0, "train"), [1])
    bases = head_bases(turning, "weights", [(1, 1)])
    got = leading_agreement(turning, [head], bases, prompts, one, one, draws=2)
    offset = int((prompts.at("END") - prompts.at("S2")).median())
    keys = [reading_directions(bases, 1, 1, at)[1][:, [int(got.order[0, 0])]] for at in (offset, 0)]
    here, unturned = (agreement(key, one.directions[1])[0] for key in keys)
    torch.testing.assert_close(got.judged[0, 1, WAYS.index("reading")], here)
    assert not torch.allclose(here, unturned, atol=1e-3)


@pytest.mark.parametrize("basis", ["weights", "whitened"])
def test_removing_terms_moves_relative_attention_by_their_sum(model, prompts, basis):
    moments = head_moments(model, by_length(pocket_prompts(40, 1_000, "train")))
    bases = head_bases(model, basis, HEADS, moments)
    now = circuit_terms(model, prompts, CIRCUIT, bases, draws=1)
    top = select_terms(now.terms, now.n_sv)
    assert torch.equal(top.sum(-1), now.n_sv)
    before, after = (ablation_effect(model, prompts, CIRCUIT, bases, mask) for mask in (None, top))
    taken = torch.where(top, now.terms, 0).sum(-1)
    there = before.attention > 0.1  # a key can lose relative attention to another one that loses more
    assert there.sum() >= 12
    assert (after.attention[there] < 0.5 * before.attention[there]).all()
    relative = now.terms.sum(-1)
    assert (taken[relative > 0] >= relative[relative > 0] - 1e-4).all()
    nothing = ablation_effect(model, prompts, CIRCUIT, bases, torch.zeros_like(top))
    for kept, untouched in zip(nothing, before, strict=True):
        torch.testing.assert_close(kept, untouched, rtol=1e-4, atol=1e-4)
    first_only = ablation_effect(model, prompts, CIRCUIT, bases, top, act_on=[1])
    torch.testing.assert_close(first_only.attention[0], before.attention[0])
    assert first_only.attention[1].mean() < 0.5 * before.attention[1].mean()


def test_answers_depend_on_the_leading_terms_and_not_on_random_ones(model, plain, prompts):
    now = circuit_terms(model, prompts, CIRCUIT, plain, draws=1)
    top = select_terms(now.terms, now.n_sv)
    generator = torch.Generator().manual_seed(0)
    random = select_terms(now.terms, now.n_sv, "random", generator)
    assert torch.equal(random.sum(-1), now.n_sv)
    assert not torch.equal(random, top)
    whole, without, anyhow, alone = (
        ablation_effect(model, prompts, CIRCUIT, plain, mask) for mask in (None, top, random, ~top)
    )
    assert whole.correct.all()
    assert alone.correct.all()
    assert without.correct.float().mean() < 0.6 < anyhow.correct.float().mean()
    assert without.difference.mean() < 0.5 * whole.difference.mean()


def test_bad_input_is_refused_by_name(model, plain, prompts, samples):
    with refuses(ValueError, "circuit", "heads"):
        leading_agreement(model, [], plain, prompts, *samples)
    with refuses(ValueError, "layers [4]"):
        leading_agreement(model, [CircuitHead("x", 4, 0, "END", "S2")], plain, prompts, *samples)
    with refuses(ValueError, "how = 'smallest'", "'largest'", "'random'"):
        select_terms(torch.ones(3), torch.tensor(1), "smallest")
    with refuses(ValueError, "counts", 4, 3):
        select_terms(torch.ones(3), torch.tensor(4))
    with refuses(ValueError, "remove", (1, 2, 16), (2, 12, 16)):
        ablation_effect(model, prompts, CIRCUIT, plain, torch.zeros(1, 2, 16, dtype=torch.bool))
