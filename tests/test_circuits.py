"""The table of a circuit: where heads look, and what the answer loses without them, held against hooks by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers import pocket
from svf_helpers.ioi import TEMPLATES, ioi_prompts
from svf_helpers.language_models import load_model
from svf_helpers.language_models.answers import at_end, log_probability, logit_difference
from svf_helpers.language_models.circuits import PAIRS, CircuitTable, circuit_table
from svf_helpers.token_roles import Prompt, Prompts
from tests import tiny_models
from tests.refusals import refuses


@pytest.fixture(scope="module", params=["pocket-gpt2", "pocket-pythia"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def bridge(name):
    return load_model(name, device="cpu")


@pytest.fixture(scope="module")
def prompts():
    return pocket.pocket_prompts(24, seed=4)


@pytest.fixture(scope="module")
def table(bridge, prompts):
    return circuit_table(bridge, prompts)


def test_attention_is_the_models_own(bridge, prompts, table):
    expected = torch.zeros_like(table.attention)
    for prompt in prompts:
        _, cache = bridge.run_with_cache(prompt.batch, prepend_bos=False)
        for layer in range(expected.shape[0]):
            for pair, (to, source) in enumerate(PAIRS):
                pattern = cache[f"blocks.{layer}.attn.hook_pattern"][0]
                expected[layer, :, pair] += pattern[:, prompt.roles[to], prompt.roles[source]] / len(prompts)
    torch.testing.assert_close(table.attention, expected, atol=1e-5, rtol=1e-4)


def test_logit_difference_and_accuracy(bridge, prompts, table):
    differences = []
    for prompt in prompts:
        logits = bridge(prompt.batch, prepend_bos=False)[0, -1].detach()
        differences.append(float(logits[prompt.answer] - logits[prompt.wrong]))
    assert table.logit_difference == pytest.approx(np.mean(differences), rel=1e-4)
    assert table.accuracy == 1.0


def test_effects_of_the_last_layer(bridge, table, name):
    """Beside the MLP, in parallel, the last layer's heads have no way but the straight one; before it, they have."""
    apart = (table.ablation_effect - table.direct)[-1].abs().max()
    if name == "pocket-pythia":
        assert apart < 1e-3
    else:
        assert apart > 1e-2


def test_mean_ablation_by_hand(bridge, prompts, table):
    """One head of the first layer, replaced role by role by its mean over the prompts, one prompt at a time."""
    head = int(table.ablation_effect[0].abs().argmax())
    name = "blocks.0.attn.hook_z"
    outputs, normal, likelihoods = [], [], []
    for prompt in prompts:
        with torch.no_grad():
            logits, cache = bridge.run_with_cache(prompt.batch, prepend_bos=False)
        outputs.append(torch.stack([cache[name][0, prompt.roles[role], head] for role in pocket.ROLES]))
        normal.append(float(logits[0, -1, prompt.answer] - logits[0, -1, prompt.wrong]))
        likelihoods.append(float(logits[0, -1].log_softmax(-1)[prompt.answer]))
    mean = torch.stack(outputs).mean(0)
    drops, falls = [], []
    for prompt, before, likely in zip(prompts, normal, likelihoods, strict=True):

        def replace_head(z, hook, prompt=prompt):
            z = z.clone()
            for role, value in zip(pocket.ROLES, mean, strict=True):
                z[0, prompt.roles[role], head] = value
            return z

        with torch.no_grad():
            logits = bridge.run_with_hooks(prompt.batch, prepend_bos=False, fwd_hooks=[(name, replace_head)])[0, -1]
        drops.append(before - float(logits[prompt.answer] - logits[prompt.wrong]))
        falls.append(likely - float(logits.log_softmax(-1)[prompt.answer]))
    assert float(table.ablation_effect[0, head]) == pytest.approx(np.mean(drops), abs=1e-4)
    assert float(table.log_probability_drop[0, head]) == pytest.approx(np.mean(falls), abs=1e-4)


def test_batches_change_nothing(bridge, prompts, table):
    again = circuit_table(bridge, prompts, batch=7)
    for one, other in zip(table, again, strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other), atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_table(name, prompts, table):
    again = circuit_table(load_model(name, device="cuda"), prompts)
    for one, other in zip(table, again, strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other).cpu(), atol=1e-3, rtol=1e-3)


def test_more_than_one_head_is_at_work_in_more_than_one_layer(table):
    at_work = table.heads(attention=2.0, effect=0.05)
    assert len(at_work) >= 4
    assert len({layer for layer, _ in at_work}) >= 3
    giver = table.attention[..., PAIRS.index(("END", "S2"))]
    assert float(giver.max()) > 0.5  # somebody looks from END to who acts
    assert float(table.direct.max()) > 0.5


def test_table_on_prompts_from_templates(bridge):
    """Prompts of the other module, put together by the tokenizer, serve as well."""
    prompts = ioi_prompts(bridge.tokenizer, 24, templates=TEMPLATES[:1], prepend_bos=True)
    assert circuit_table(bridge, prompts).accuracy > 0.9


def test_direct_effects_are_refused_where_logits_are_scaled_after_the_unembedding(tmp_path):
    model = load_model(tiny_models.save("cohere", tmp_path), device="cpu")
    places = {"S1": 1, "S1+1": 2, "IO": 3, "S2": 4, "END": 6}
    some = [Prompt("", tokens, places, answer=7, wrong=8, order="ABBA") for tokens in tiny_models.some_tokens(3, 7)]
    with refuses(ValueError, "logits", "direct"):
        circuit_table(model, Prompts(some))


def test_logit_differences_and_log_probabilities_of_prompts_of_any_length(bridge, prompts):
    """One prompt at a time, as it stands, against the padded batch."""
    assert len({len(prompt.tokens) for prompt in prompts}) > 1
    with torch.no_grad():
        last = at_end(bridge(prompts.tokens, prepend_bos=False), prompts)
    for n, prompt in enumerate(prompts):
        with torch.no_grad():
            alone = bridge(prompt.batch, prepend_bos=False)[0, -1]
        expected = alone[prompt.answer] - alone[prompt.wrong], alone.log_softmax(-1)[prompt.answer]
        found = logit_difference(last, prompts)[n], log_probability(last, prompts)[n]
        torch.testing.assert_close(torch.stack(found), torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_table_refuses_one_prompt_and_missing_roles(bridge, prompts):
    with refuses(ValueError, "one prompt", "mean"):
        circuit_table(bridge, Prompts([prompts[0]]))
    bare = replace(prompts[0], roles={"END": 3})
    with refuses(ValueError, "role 'S1'"):
        circuit_table(bridge, Prompts([bare, bare]))


@pytest.mark.parametrize("batch", [0, -1, 2.5, None, True])
def test_table_refuses_batches_of_none(bridge, prompts, batch):
    with refuses(ValueError, f"batch = {batch}"):
        circuit_table(bridge, prompts, batch)


def test_markdown_has_a_row_for_each_head_at_work(table):
    lines = table.markdown().splitlines()
    assert len(lines) == 2 + len(table.heads())
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    zeros = torch.zeros(1, 2)
    idle = CircuitTable(torch.zeros(1, 2, len(PAIRS)), zeros, zeros, zeros, 3.0, 1.0)
    assert idle.heads() == []
    assert idle.at_pairs() == ()


def test_heads_with_their_pairs(table):
    found = table.at_pairs(0.4)
    assert found
    for head in found:
        pair = PAIRS.index((head.destination, head.source))
        assert float(table.attention[head.layer, head.head, pair]) >= 0.4
    assert len(found) == int((table.attention >= 0.4).sum())
