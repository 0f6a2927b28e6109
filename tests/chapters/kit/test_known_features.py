"""Known features as directions, what heads read along, and a head without a feature."""

import numpy as np
import pytest
import torch

from svf_helpers.chapters.kit.known_features import (
    KINDS,
    KnownFeatures,
    agreement,
    feature_directions,
    head_inputs,
    known_features,
    patterns,
    reading_directions,
)
from svf_helpers.chapters.known_features.erasure import project_out
from svf_helpers.language_models import head_bases, load_model
from svf_helpers.pocket.facts import ROLES, facts
from svf_helpers.pocket.words import NAMES
from svf_helpers.qk import qk_svd
from tests.refusals import refuses
from tests.tiny_models import save, some_tokens


@pytest.fixture(scope="module")
def gpt2():
    return load_model("pocket-gpt2", device="cpu")


@pytest.fixture(scope="module")
def pythia():
    return load_model("pocket-pythia", device="cpu")


def made(rng, count=40, length=12, d=6):
    """Tokens that are sums of three features' directions, of which two go together, and those features."""
    present = torch.zeros(count, length, 3)
    present[..., 0] = torch.from_numpy(rng.random((count, length)) < 0.5)
    goes_along = torch.from_numpy(rng.random((count, length)) < 0.9)
    present[..., 1] = torch.where(goes_along, present[..., 0], 1 - present[..., 0])
    present[..., 2] = torch.arange(length)
    truth = torch.linalg.qr(torch.from_numpy(rng.normal(size=(d, 3)))).Q
    everywhere = torch.ones(count, length, 3, dtype=torch.bool)
    features = KnownFeatures(("a", "b", "place"), present, everywhere, everywhere[..., 0])
    return present.double() @ truth.T + 0.3, features, truth


def test_least_squares_tells_features_apart_that_go_together():
    tokens, features, truth = made(np.random.default_rng(0))
    found = feature_directions(tokens, features)
    torch.testing.assert_close(found, truth, atol=1e-9, rtol=0)
    alone = feature_directions(tokens, features, "difference of means")
    assert (alone[:, 0] @ truth[:, 0]) < 0.9  # the other one comes along
    present = features.value[..., 0].bool()
    means = tokens[present].mean(0) - tokens[~present].mean(0)
    torch.testing.assert_close(alone[:, 0], means / means.norm())


def test_a_feature_has_no_say_where_it_has_no_meaning():
    """ "Said before" among names: the direction of "name" is then that of a name as often said before as names are."""
    rng = np.random.default_rng(1)
    name = torch.from_numpy(rng.random((50, 10)) < 0.4)
    said = torch.from_numpy(rng.random((50, 10)) < 0.3) & name
    truth = torch.linalg.qr(torch.from_numpy(rng.normal(size=(6, 2)))).Q
    value, among = torch.stack([name, said], -1).float(), torch.stack([torch.ones_like(name), name], -1)
    tokens = value.double() @ truth.T + 0.3
    found = feature_directions(tokens, KnownFeatures(("name", "said"), value, among, among[..., 0]))
    mean_name = truth[:, 0] + said.sum() / name.sum() * truth[:, 1]
    expected = torch.stack([mean_name / mean_name.norm(), truth[:, 1]], 1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_what_is_no_token_is_not_looked_at():
    tokens, features, truth = made(np.random.default_rng(1))
    shifted, padded = tokens.clone(), features.tokens.clone()
    shifted[:, 8:], padded[:, 8:] = 1e6, False
    found = feature_directions(shifted, features._replace(tokens=padded))
    torch.testing.assert_close(found, truth, atol=1e-6, rtol=0)


def test_features_say_what_the_generator_did():
    table = facts(60, seed=3)
    found = known_features(table)
    column = {name: found.value[..., number].numpy() for number, name in enumerate(found.names)}
    assert len(found.names) == len(KINDS) + 2 * len(NAMES) == len(set(found.names))
    assert not found.tokens[:, 0].any()  # the start mark
    for row in range(60):
        seen = set()
        for place in range(1, table.length[row]):
            name = table.name[row, place]
            assert column["name"][row, place] == (name >= 0)
            assert column["said before"][row, place] == (name in seen and name >= 0)
            assert column["END"][row, place] == (table.role[row, place] == ROLES.index("END"))
            assert column["after a name"][row, place] == (table.name[row, place - 1] >= 0)
            assert column["position"][row, place] == place
            if name >= 0:
                seen.add(name)
                assert column[f"name {NAMES[name]}"][row, place] == 1
        assert not found.value[row, table.length[row]:].any()


def test_in_layer_0_nothing_is_known_but_word_and_place(gpt2, pythia):
    table = facts(300, seed=0)
    tokens, found = torch.from_numpy(table.tokens), known_features(table)
    learned = head_inputs(gpt2, tokens, 0)
    for same_place in (5, 9):
        words = tokens[:, same_place]
        word = words.mode().values
        rows = (words == word).nonzero().flatten()
        torch.testing.assert_close(learned[rows, same_place], learned[rows[:1], same_place].expand(len(rows), -1))
    rotary = head_inputs(pythia, tokens, 0)[found.tokens]
    words = tokens[found.tokens]
    word = words.mode().values
    alike = rotary[words == word]
    torch.testing.assert_close(alike, alike[:1].expand_as(alike))  # no position either
    torch.testing.assert_close(learned.mean(-1), torch.zeros_like(learned[..., 0]), atol=1e-6, rtol=0)


def test_without_the_position_lateness_passes_for_repetition(gpt2):
    """The confounder of the chapter, in both directions."""
    table = facts(900, seed=0)
    inputs, found = head_inputs(gpt2, torch.from_numpy(table.tokens), 0), known_features(table)
    key = reading_directions(head_bases(gpt2, "weights", [(0, 3)]), 0, 3)[1][:, :1]
    kept = [number for number, name in enumerate(found.names) if name != "position"]
    fewer = KnownFeatures(tuple(found.names[k] for k in kept), found.value[..., kept], found.among[..., kept],
                          found.tokens)
    said = KINDS.index("said before")
    with_it, without = (agreement(key, feature_directions(inputs, some))[0, said] for some in (found, fewer))
    assert without > 0.75
    assert with_it < 0.45


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-pythia"])
def test_directions_read_what_the_head_scores(name, gpt2, pythia):
    """Two readings times a singular value, summed, are query and key through the weights; a key turns by its offset."""
    model, layer, head, offset = gpt2 if name == "pocket-gpt2" else pythia, 2, 1, 8
    inputs = head_inputs(model, torch.from_numpy(facts(2, seed=1).tokens), layer)
    bases = head_bases(model, "weights", [(layer, head)])
    heads, S = bases.layers[layer].heads, bases.layers[layer].svd.S[0]
    U, V = reading_directions(bases, layer, head, offset)
    found = (inputs[:, 14] @ U * S * (inputs[:, 14 - offset] @ V)).sum(-1)
    turned = heads.W_K[0] if heads.rotary is None else heads.rotary.rotate(heads.W_K[0], -offset)
    expected = ((inputs[:, 14] @ heads.W_Q[0]) * (inputs[:, 14 - offset] @ turned)).sum(-1)
    torch.testing.assert_close(found, expected)
    if heads.rotary is None:
        svd = qk_svd(heads.W_Q[0], heads.W_K[0])
        torch.testing.assert_close((U * svd.U).sum(0).abs(), torch.ones(16, dtype=torch.double))


def test_patterns_are_what_the_covariance_makes_of_readings():
    rng = np.random.default_rng(0)
    tokens, reading = torch.from_numpy(rng.normal(size=(500, 7))) + 2, torch.from_numpy(rng.normal(size=(7, 3)))
    torch.testing.assert_close(patterns(tokens, reading), torch.cov(tokens.T, correction=0) @ reading)
    torch.testing.assert_close(patterns(tokens, reading, centred=False), tokens.T @ tokens / 500 @ reading)


@pytest.mark.parametrize("kind", ["gpt2", "neox", "llama"])
@pytest.mark.parametrize("side", ["query", "key"])
def test_a_feature_is_taken_out_of_one_side_of_one_head(kind, side, tmp_path):
    model = load_model(save(kind, tmp_path), device="cpu")
    tokens, generator = some_tokens(3, 10), torch.Generator().manual_seed(0)
    heads, layer, head = head_bases(model, "weights").layers[1].heads, 1, 2
    d = heads.W_Q.shape[1]
    direction, mean, along = (torch.randn(d, dtype=torch.double, generator=generator) for _ in range(3))
    unit = direction / direction.norm()
    inputs, names = head_inputs(model, tokens, layer), ("hook_q", "hook_k", "hook_v", "hook_attn_scores")
    cache = model.run_with_cache(tokens)[1]
    with project_out(model, layer, head, side, 3 * direction, mean):
        changed = model.run_with_cache(tokens)[1]
    place = f"blocks.{layer}.attn."
    W = heads.W_Q if side == "query" else heads.W_K
    expected = cache[place + f"hook_{side[0]}"].clone()
    number = head * expected.shape[2] // len(W)
    amount = (inputs - mean) @ unit
    expected[:, :, number] -= (amount[..., None] * (unit @ W[head])).float()
    torch.testing.assert_close(changed[place + f"hook_{side[0]}"], expected, rtol=1e-4, atol=1e-4)
    for name in names:
        if name not in (f"hook_{side[0]}", "hook_attn_scores"):
            torch.testing.assert_close(changed[place + name], cache[place + name])
    # what is left of the tokens has the mean's coordinate, so that a second time changes nothing more
    with project_out(model, layer, head, side, direction, inputs.mean((0, 1)), along):
        other = model.run_with_cache(tokens)[1]
    difference = (other[place + f"hook_{side[0]}"] - cache[place + f"hook_{side[0]}"])[:, :, number]
    read = (along / along.norm() @ W[head]).float()
    cosine = torch.cosine_similarity(difference, read.expand_as(difference), -1).abs()
    assert (cosine > 0.999).all()  # the same amount, along the other direction
    assert torch.equal(model.run_with_cache(tokens)[0], model(tokens))  # and nothing stays behind


def test_bad_input_is_refused_by_name(gpt2):
    tokens, features, _ = made(np.random.default_rng(0))
    with refuses(ValueError, "method 'means'", "'least squares'", "'difference of means'"):
        feature_directions(tokens, features, "means")
    with refuses(ValueError, (40, 11), (40, 12)):
        feature_directions(tokens[:, 1:], features)
    never = features._replace(value=features.value * torch.tensor([1.0, 0.0, 1.0]))
    with refuses(ValueError, "b:"):
        feature_directions(tokens, never)
    with refuses(ValueError, "layer = 9", 4):
        head_inputs(gpt2, torch.zeros(1, 3, dtype=torch.long), 9)
    bases = head_bases(gpt2, "weights", [(0, 3)])
    with refuses(ValueError, (0, 3), (1, 1)):
        reading_directions(bases, 1, 1)
    direction = torch.ones(64)
    for arguments, told in (
        ((0, 3, "value", direction, direction), ("'value'", "'query'", "'key'")),
        ((0, 9, "key", direction, direction), ("head = 9", 3)),
        ((0, 3, "key", direction[:5], direction), ("direction", [5], 64)),
        ((0, 3, "key", direction, direction[:5]), ("mean", [5], 64)),
        ((0, 3, "key", 0 * direction, direction), ("direction", "length 0")),
    ):
        with refuses(ValueError, *told), project_out(gpt2, *arguments):
            pass
