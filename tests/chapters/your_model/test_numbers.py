"""The numbers in the prose of the chapter on a model of the reader's own, and what its cells call."""

import math

import pytest
import torch

from svf_helpers.attention import sparsity
from svf_helpers.chapters.your_model.controls import rotated_terms, sparsity_of_turned, split_counts
from svf_helpers.chapters.your_model.explorer import PAIRS, HeadState, all_states, checkpoints, head_state
from svf_helpers.chapters.your_model.messages import told
from svf_helpers.chapters.your_model.numbers import numbers
from svf_helpers.chapters.your_model.pair import (
    Pair,
    attention_at,
    attention_from,
    find_pair,
    heads_by_attention,
    own_prompts,
)
from svf_helpers.ioi import CircuitHead
from svf_helpers.language_models import head_bases, head_terms_batch, load_model
from svf_helpers.language_models.circuit_terms import CircuitTerms
from svf_helpers.language_models.terms import HeadTerms
from svf_helpers.pocket import pocket_prompts
from tests.prose import names_in_prose
from tests.refusals import refuses

WORDS = ["(start)", "Amy", "saw", "Tom", "and"]


@pytest.fixture(scope="module")
def model():
    return load_model("pocket-gpt2", device="cpu")


def head_terms(terms):
    """Terms [keys, heads, m] at every key of one query, with coordinates that multiply to them."""
    terms = torch.tensor(terms)[None]
    one = torch.ones_like(terms)
    heads = tuple((0, head) for head in range(terms.shape[2]))
    return HeadTerms(terms, terms.sum(-1), terms, one, one, heads)


def circuit(sparsities, null, relative):
    """What a circuit of one head does in some prompts, as far as the numbers need it."""
    S, z, rho = (torch.tensor([values]) for values in (sparsities, null, relative))
    terms = torch.zeros(1, len(sparsities), 2)
    return CircuitTerms(terms, rho, terms, S, z, torch.ones_like(S).long(), terms)


def state(attention, relative, spread):
    return HeadState(("a", "b"), 1, 0, (relative,), relative, (attention, 1 - attention), 1, spread)


def live():
    """Stand-ins for what the cells find: three keys before and at the query, two heads, two terms."""
    at_keys = head_terms([[[0.1, -3.0]], [[4.0, 1.0]], [[-1.0, -1.1]], [[0.4, -2.0]]])
    many = {"weights": circuit([0.2, 0.4], [0.5, 0.3], [2.0, -1.0]),
            "whitened": circuit([0.2, 0.1], [0.5, 0.3], [1.0, 1.0])}
    return {
        "name": "mine",
        "pair": Pair(torch.arange(5)[None], WORDS, query=3, key=1),
        "looks": torch.tensor([[[0.1, 0.8, 0.0, 0.1, 0.0], [0.7, 0.1, 0.1, 0.1, 0.0]]]),
        "chosen": (0, 0),
        "rows": {
            "weights": (torch.tensor([4.0, 1.0]), torch.tensor([[1.0, 1.0], [1.0, 0.0], [9.0, 0.1]])),
            "whitened": (torch.tensor([2.0, 3.0]), torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])),
        },
        "elsewhere": torch.tensor([0.9, 0.7, 0.5]),
        "many": many,
        "states": {"END→S2": {"0.0": state(0.9, 3.0, 0.1), "0.1": state(0.01, 1.0, 0.1)},
                   "S2→S1": {"0.0": state(0.04, -2.0, 0.5), "0.1": state(0.02, 0.5, 0.6)}},
        "at_keys": at_keys,
        "untrained": {"weights": circuit([0.4], [0.35], [1.0]), "whitened": circuit([0.3], [0.4], [1.0])},
        "changed": {"all": 0.3, "first half": 0.31, "second half": 0.28, "no start token": 0.2, "no first two": 0.42},
        "agreement": {"all": torch.ones(3), "no start token": torch.tensor([0.9, 0.4, 0.1])},
        "turned": torch.tensor([0.3, 0.21, 0.39]),
        "all_heads": head_terms([
            [[0.1, -3.0], [1.0, 1.0]],
            [[4.0, 1.0], [2.5, 0.0]],
            [[-1.0, -1.1], [-1.0, 0.0]],
            [[0.5, -2.0], [-2.0, 0.0]],
        ]),
    }


def test_the_names_are_those_of_the_prose():
    found = numbers(**live())
    assert set(found) == names_in_prose("your_model")
    assert all(isinstance(value, str) and value for value in found.values())


def test_each_is_what_its_sentence_says():
    found = numbers(**live())
    expected = {
        # the sentence: four keys are seen, the chosen head gives the second .8; terms 4 and 1
        "head": "0.0", "attention": "0.80", "rho": "5.00", "n": "4", "uniform": "0.25", "heads": "2", "m": "2",
        "most": f"{1 / (1 + 3 * math.exp(-5)):.2f}",
        "rank-weights": "1", "rank-whitened": "2", "N-weights": "2", "N-whitened": "2",
        "S-weights": f"{25 / 34:.2f}", "null-weights": f"{(1 + 0.5 + 9.1**2 / 2 / 81.01) / 3:.2f}",
        "low-weights": "2", "low-whitened": "1", "draws": "3",
        # other prompts
        "holds": "The choice holds up", "elsewhere": "0.70", "elsewhere-range": "0.50 to 0.90", "P": "3",
        "above": "50", "under-weights": "50", "under-whitened": "100",
        # two of three heads that do not look have a positive rho, one of them few terms
        "idle": "3", "idle-positive": "2", "idle-sparse": "1",
        # S at the four keys: .53, .74, 1.00, .69
        "sparser": "2 of the other 3 keys have", "close": "2", "sparsest-word": "(start)", "sparsest-rho": "-2.90",
        "lead-weights": "0.05 above", "lead-whitened": "0.10 below", "lead-verdict": "that is not much, but it comes",
        "trained-weights": "0.10", "trained-whitened": "0.25",
        "halves": "0.03", "start-one": "falls by 0.10", "start-two": "rises by 0.12", "second": "0.40",
        "turned": "0.21 to 0.39",
        # rho > 0 of head 0 at the second key, of head 1 at the first two; attention above 1/4 of each at one key
        "positive": "3", "below": "1", "fooled": "2.5", "sinks": "1",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"elsewhere": torch.tensor([0.6, 0.6])}, {"holds": "The choice does not hold up"}),
        ({"at_keys": head_terms([[[1.0, 1.0]], [[4.0, 1.0]], [[1.0, 1.0]], [[0.5, -3.0]]])},
         {"sparser": "One of the other 3 keys has", "sparsest-word": "Tom"}),
        ({"at_keys": head_terms([[[1.0, 1.0]], [[4.0, 0.0]], [[1.0, 1.0]], [[0.5, -3.0]]])},
         {"sparser": "No other key has", "sparsest-word": "Amy"}),
        ({"untrained": {"weights": circuit([0.3], [0.4], [1.0]), "whitened": circuit([0.3], [0.3], [1.0])}},
         {"lead-verdict": "next to nothing, and it comes", "lead-weights": "0.10 below"}),
    ],
)  # fmt: skip
def test_words_follow_what_is_found(change, expected):
    found = numbers(**(live() | change))
    assert {name: found[name] for name in expected} == expected


def test_the_pair_is_the_last_of_both_words(model):
    text = "Then, Amy and Tom met. Tom gave a key to Amy, and Amy gave a book to"
    pair = find_pair(model, text, "to", "Amy", prepend_bos=False)
    assert (pair.words[pair.query], pair.words[pair.key]) == ("to", "Amy")
    assert pair.query == len(pair.words) - 1
    assert "Amy" not in pair.words[pair.key + 1 : pair.query]
    assert pair.tokens.shape[1] + 1 == find_pair(model, text, "to", "Amy").tokens.shape[1]
    earlier = find_pair(model, text, "Tom", "Amy", prepend_bos=False)  # the key stands before the query
    assert earlier.key < earlier.query < pair.key


def test_own_sentences_become_prompts_with_both_roles(model):
    texts = ["Then, Amy and Tom met. Amy gave a key to", "At the park, Tom and Amy met. Tom gave a key to"]
    prompts = own_prompts(model, texts, "to", "Amy")
    for text, prompt in zip(texts, prompts, strict=True):
        pair = find_pair(model, text, "to", "Amy")
        assert prompt.roles == {"END": pair.query, "S2": pair.key}
        assert torch.equal(prompt.tokens, pair.tokens[0])
    with refuses(ValueError, "'to'", "'Tim'"):
        own_prompts(model, texts, "to", "Tim")


def test_attention_is_the_models_own(model):
    prompts = pocket_prompts(3)
    tokens, query, key = prompts[1].batch, int(prompts.at("END")[1]), int(prompts.at("S2")[1])
    looks = attention_from(model, tokens, query)
    record = model.run_with_cache(tokens)[1]
    for layer in range(model.cfg.n_layers):
        torch.testing.assert_close(looks[layer], record[f"blocks.{layer}.attn.hook_pattern"][0, :, query])
    ranked = heads_by_attention(looks, key)
    assert len(set(ranked)) == model.cfg.n_layers * model.cfg.n_heads
    values = [float(looks[at][key]) for at in ranked]
    assert values == sorted(values, reverse=True)
    head = CircuitHead("", *ranked[0], "END", "S2")
    assert attention_at(model, prompts, head)[1] == pytest.approx(values[0], abs=1e-5)


def test_rotations_keep_the_singular_values_and_splits_keep_the_sum(model):
    prompts, place = pocket_prompts(4), (0, 3)
    at = prompts.at("END"), prompts.at("S2")
    found = head_terms_batch(model, prompts.tokens, *at, [place])
    rotated = rotated_terms(found, draws=50)
    assert rotated.shape == (50, model.cfg.d_head)
    assert not torch.equal(rotated, rotated_terms(found, draws=50, seed=1))
    assert sparsity(rotated).mean() > sparsity(found.terms[0, 0])  # this head is sparser than chance
    counts = split_counts(model, prompts, CircuitHead("", *place, "END", "S2"), head_bases(model, "weights", [place]))
    assert counts.shape == (8, 4)
    assert (counts > 0).all()
    assert len({tuple(draw) for draw in counts.tolist()}) > 1


def test_a_turn_of_two_vectors_changes_their_two_terms_only():
    draw = torch.Generator().manual_seed(0)
    x, S, y = (torch.rand(3, 1, 4, generator=draw) + 0.5 for _ in range(3))
    found = HeadTerms(x * S * y, (x * S * y).sum(-1), x, S, y, ((0, 0),))
    still, half, whole = sparsity_of_turned(found, torch.tensor([0.0, 30.0, 360.0])).tolist()
    assert still == pytest.approx(float(sparsity(found.terms).mean()), abs=1e-6)
    assert whole == pytest.approx(still, abs=1e-6)
    assert half != pytest.approx(still, abs=1e-3)
    # a quarter turn exchanges two terms, of any two: as sparse as before
    for ranks in ((2, 3), (1, 4)):
        assert sparsity_of_turned(found, torch.tensor([90.0]), ranks).item() == pytest.approx(still, abs=1e-6)
    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    a, b = ((S.sqrt() * of)[..., 1:3] for of in (x, y))
    first = (cosine * a[..., 0] - sine * a[..., 1]) * (cosine * b[..., 0] - sine * b[..., 1])
    second = (sine * a[..., 0] + cosine * a[..., 1]) * (sine * b[..., 0] + cosine * b[..., 1])
    turned = torch.stack([found.terms[..., 0], first, second, found.terms[..., 3]], -1)
    assert half == pytest.approx(float(sparsity(turned).mean()), abs=1e-6)


def test_all_states_are_those_of_the_explorer():
    steps = checkpoints()
    states = all_states(steps[-1])
    assert list(states) == ["→".join(pair) for pair in PAIRS]
    assert all(len(heads) == 20 for heads in states.values())
    assert states["S2→S1"]["3.2"] == head_state(steps[-1], 3, 2, 2)
    assert list(steps) == sorted(steps)


def test_a_thing_that_goes_well_is_said_to(capsys):
    told("two", int, "2")
    told("seven", int, "seven", base=10)
    said = capsys.readouterr().out.splitlines()
    assert said == ["two", "    (nothing goes wrong)", "seven",
                    "    ValueError: invalid literal for int() with base 10: 'seven'"]
