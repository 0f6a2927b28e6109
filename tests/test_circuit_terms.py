"""A circuit's heads at their own token pairs: the batch against one head and prompt at a time."""

import pytest
import torch

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.ioi import CircuitHead, Prompt, Prompts
from svf_helpers.language_models import head_bases, head_moments, head_terms, load_model
from svf_helpers.language_models.answers import answers
from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
from tests.refusals import refuses
from tests.tiny_models import save

CIRCUIT = (
    CircuitHead("Name Mover", 1, 2, "END", "IO"),
    CircuitHead("Induction", 0, 3, "S2", "S1+1"),
    CircuitHead("S-Inhibition", 1, 0, "END", "S2"),
)
ROLES = ({"S1": 1, "S1+1": 2, "IO": 3, "S2": 6, "END": 9}, {"IO": 0, "S1": 2, "S1+1": 3, "S2": 5, "END": 7},
         {"S1": 2, "S1+1": 3, "IO": 4, "S2": 8, "END": 9})


@pytest.fixture(scope="module")
def neox(tmp_path_factory):
    return load_model(save("neox", tmp_path_factory.mktemp("models")), device="cpu")


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(3)
    return Prompts([
        Prompt("", torch.randint(1, 40, (roles["END"] + 1,), generator=generator), dict(roles), 5 + k, 9, "ABBA")
        for k, roles in enumerate(ROLES)
    ])


@pytest.fixture(scope="module")
def moments(neox):
    return head_moments(neox, torch.randint(1, 40, (16, 12), generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_each_head_at_its_own_pair_in_each_prompt(neox, prompts, moments, basis):
    found = circuit_terms(neox, prompts, CIRCUIT, basis, moments, draws=3)
    assert found.terms.shape == (3, 3, neox.cfg.d_head)
    for h, head in enumerate(CIRCUIT):
        for p, prompt in enumerate(prompts):
            places = prompt.roles[head.destination], prompt.roles[head.source]
            alone = head_terms(neox, prompt.batch, head.layer, head.head, *places, basis, moments)
            torch.testing.assert_close(found.terms[h, p], alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.relative, found.terms.sum(-1), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.sparsity, sparsity(found.terms))
    assert torch.equal(found.n_sv, n_sv(found.terms))


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_the_null_keeps_lengths_and_its_rotation_belongs_to_the_head(neox, prompts, moments, basis):
    many, few = (circuit_terms(neox, prompts, CIRCUIT, basis, moments, draws=n, seed=1).null for n in (400, 200))
    assert many.shape == (3, 3)
    torch.testing.assert_close(many, few, rtol=0, atol=0.05)  # a mean over rotations, nearly there
    assert ((many > 1 / neox.cfg.d_head) & (many < 1)).all()
    again = circuit_terms(neox, prompts, CIRCUIT, basis, moments, draws=400, seed=1).null
    assert torch.equal(many, again)
    alone = circuit_terms(neox, Prompts([prompts[1]]), CIRCUIT[:1], basis, moments, draws=400, seed=1).null
    torch.testing.assert_close(alone[0, 0], many[0, 1], rtol=0, atol=0.05)


def test_prompts_without_padding(prompts):
    batches = by_length(prompts)
    assert [tuple(batch.shape) for batch in batches] == [(1, 8), (2, 10)]
    assert torch.equal(batches[1][1], prompts[2].tokens)


def test_answers_are_read_at_the_end_of_each_prompt(neox, prompts):
    right, difference = answers(neox, prompts)
    for p, prompt in enumerate(prompts):
        with torch.no_grad():
            last = neox(prompt.batch)[0, -1]
        assert right[p].item() == (last.argmax().item() == prompt.answer)
        assert difference[p].item() == pytest.approx((last[prompt.answer] - last[prompt.wrong]).item(), abs=1e-4)


def test_what_cannot_be_decomposed_is_refused(neox, prompts):
    with refuses(ValueError, "circuit", "heads"):
        circuit_terms(neox, prompts, [])
    with refuses(ValueError, "head = 99"):
        circuit_terms(neox, prompts, [CircuitHead("x", 0, 99, "END", "IO")])
    backwards = [CircuitHead("x", 0, 0, "S1", "END")]
    with refuses(ValueError, "key 9", "query 1"):
        circuit_terms(neox, prompts, backwards)
    with refuses(ValueError, ((1, 2), (0, 3)), (1, 0)):
        circuit_terms(neox, prompts, CIRCUIT, head_bases(neox, heads=[(1, 2), (0, 3)]))
    for draws in (0, -1, 2.5, True, None):
        with refuses(ValueError, f"draws = {draws}"):
            circuit_terms(neox, prompts, CIRCUIT, draws=draws)


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_rotated_terms_keep_the_singular_values_and_are_among_those_of_the_null(neox, prompts, moments, basis):
    found = circuit_terms(neox, prompts, CIRCUIT, basis, moments, draws=1, seed=2)
    torch.testing.assert_close(found.null, sparsity(found.rotated))  # one draw: the mean is that draw's
    assert found.rotated.shape == found.terms.shape
    assert ((found.rotated - found.terms).abs().amax(-1) > 1e-3 * found.terms.abs().amax(-1)).all()
    again = circuit_terms(neox, prompts, CIRCUIT, basis, moments, draws=1, seed=2).rotated
    assert torch.equal(found.rotated, again)
