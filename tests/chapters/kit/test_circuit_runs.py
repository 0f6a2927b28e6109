"""Runs of language models on the indirect-object task: resumed, made from a local folder, added, and read again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from svf_helpers.chapters.kit import circuit_runs
from svf_helpers.chapters.sad_pythia.runs import pythia_ioi
from svf_helpers.experiments import cli, load, load_first, runner, store
from svf_helpers.ioi import GPT2_HEADS, PYTHIA_HEADS
from svf_helpers.language_models import checkpoints, load_model
from svf_helpers.language_models.circuit_terms import circuit_terms
from svf_helpers.pocket import pocket_folder, pocket_prompts, revisions

STEPS = (revisions("pocket-pythia")[0], revisions("pocket-pythia")[-2], revisions("pocket-pythia")[-1])


@pytest.fixture(scope="module", autouse=True)
def few_prompts():
    """A quarter of the prompts finds the circuit as well, and moments need no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuit_runs, "OTHER_PROMPTS", 64)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT-NeoX model with three checkpoints, as a reader might have one."""
    home = tmp_path_factory.mktemp("neox")
    for step in STEPS:
        shutil.copytree(pocket_folder("pocket-pythia", step), home / step, ignore=shutil.ignore_patterns("steps"))
    return home


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """The result that a large model would leave, made from that folder."""
    out = tmp_path_factory.mktemp("out")
    options = {"model": str(folder), "revisions": "all", "discard_weights": True}
    return runner.run("pythia-ioi", "quick", "cpu", out, options=options)


def test_checkpoints_stand_in_the_order_of_training(made, folder):
    result = load("pythia-ioi", "quick", folder=made.parent)
    assert result["step"].tolist() == [int(step[4:]) for step in STEPS]
    assert result.info["options"]["model"] == str(folder)
    assert result.info["config"]["revisions"] == list(STEPS)
    assert sorted(path.name for path in folder.iterdir()) == sorted(STEPS)  # a reader's own weights are never removed
    assert not result["correct"][0].all()
    assert result["correct"][-1].all()


def test_terms_sum_and_agree_with_the_heads_one_by_one(made):
    result = load("pythia-ioi", "quick", folder=made.parent)
    for basis in circuit_runs.BASES:
        sums = result[f"terms_{basis}"].sum(-1)  # of the paper's prompt, the first
        np.testing.assert_allclose(sums, result["relative"][..., 0], rtol=1e-3, atol=1e-3)
    circuit = circuit_runs.circuit_of(result)
    prompts = pocket_prompts(result["correct"].shape[1] - 1)
    again = circuit_terms(load_model("pocket-pythia", device="cpu"), prompts, circuit)
    np.testing.assert_allclose(again.sparsity, result["summary_sparsity_weights"][-1][:, 1:], rtol=1e-3)
    np.testing.assert_array_equal(again.n_sv, result["summary_n_sv_weights"][-1][:, 1:])


def test_an_interrupted_run_keeps_the_checkpoints_that_it_has(folder, made, tmp_path, monkeypatch):
    whole, seen = circuit_runs._decomposed, []

    def interrupted(source, *arguments):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(source[source.rindex("/") + 1 :])
        return whole(source, *arguments)

    options = {"model": str(folder)}
    monkeypatch.setattr(circuit_runs, "_decomposed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner.run("pythia-ioi", "quick", "cpu", tmp_path, options=options)
    assert seen == list(STEPS[:0:-1])  # the last one first: it tells the circuit
    watched = lambda source, *rest: (seen.append(source), whole(source, *rest))[1]  # noqa: E731
    monkeypatch.setattr(circuit_runs, "_decomposed", watched)
    again = runner.run("pythia-ioi", "quick", "cpu", tmp_path, options=options)
    assert len(seen) == 3
    first, second = (load("pythia-ioi", "quick", folder=path.parent) for path in (made, again))
    for name in first.arrays:
        np.testing.assert_array_equal(first[name], second[name])


def test_the_larger_model_is_shown_where_its_result_was_added(made, elsewhere, capsys):
    names = ("pythia-ioi", "pocket-pythia-ioi")
    assert load_first(*names, scale="quick").info["name"] == "pocket-pythia-ioi"
    assert cli.main(["add", str(made), "--out", str(elsewhere)]) == 0
    assert load_first(*names, scale="quick").info["name"] == "pythia-ioi"
    assert set(load_first(*names, scale="quick").arrays) == set(load("pocket-pythia-ioi", "quick").arrays)


def test_a_result_that_lacks_arrays_is_not_added(made, tmp_path, capsys):
    result = load("pythia-ioi", "quick", folder=made.parent)
    arrays = {name: value for name, value in result.arrays.items() if name != "S_whitened"}
    poor = store.save(tmp_path / "poor", "pythia-ioi", "quick", arrays, dict(result.info))
    assert cli.main(["add", str(poor), "--out", str(tmp_path / "home")]) == 1
    assert "S_whitened" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
    arrays["S_whitened"] = result["S_whitened"]
    arrays["summary_sparsity_weights"] = result["summary_sparsity_weights"][:1]
    poor = store.save(tmp_path / "poor", "pythia-ioi", "quick", arrays, dict(result.info))
    assert cli.main(["add", str(poor), "--out", str(tmp_path / "home")]) == 1
    assert "3 checkpoints" in capsys.readouterr().err


@pytest.fixture(scope="module")
def one_row():
    return circuit_runs._decomposed("pocket-pythia", None, "cpu", 2, None, None)


@pytest.mark.parametrize("discard", [True, False])
def test_weights_are_discarded_one_checkpoint_after_the_other_where_asked(discard, one_row, tmp_path, monkeypatch):
    def fetch(model, revision, folder):
        shutil.copytree(pocket_folder("pocket-pythia", revision), folder, ignore=shutil.ignore_patterns("steps"))

    there = []

    def decomposed(source, *rest):
        assert (Path(source) / "model.safetensors").is_file()
        there.append(len(list(Path(source).parent.iterdir())))
        return one_row

    monkeypatch.setattr(checkpoints, "_branches", lambda model: list(STEPS))
    monkeypatch.setattr(checkpoints, "_fetch", fetch)
    monkeypatch.setattr(circuit_runs, "_decomposed", decomposed)
    pythia_ioi("quick", "cpu", False, tmp_path, model="some/pythia", revisions="all", discard_weights=discard)
    assert there == ([1, 1, 1] if discard else [1, 2, 3])


@pytest.mark.parametrize("circuit", [GPT2_HEADS, PYTHIA_HEADS])
def test_a_circuit_comes_back_from_its_arrays(circuit, tmp_path):
    arrays = circuit_runs.circuit_arrays(circuit)
    np.savez(tmp_path / "circuit.npz", **arrays)
    assert circuit_runs.circuit_of(np.load(tmp_path / "circuit.npz")) == circuit
    assert arrays["layer"].dtype.kind == "i"


def test_the_papers_models_get_the_papers_heads():
    assert circuit_runs.known_circuit("EleutherAI/pythia-160m", None, None) is PYTHIA_HEADS
    for name in ("gpt2", "openai-community/gpt2"):  # the hub has it under both
        assert circuit_runs.known_circuit(name, None, None) is GPT2_HEADS


@pytest.mark.parametrize(
    ("tokenizer", "model", "start"),
    [
        ("gpt2", "gpt2", True),
        ("gpt2", "openai-community/gpt2", True),
        ("gpt-neox-20b", "EleutherAI/pythia-160m", False),
    ],
)
def test_gpt2s_prompts_have_a_start_token_and_pythias_have_none(tokenizer, model, start, fixtures_folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(fixtures_folder / "tokenizers" / tokenizer)
    prompts, others = circuit_runs.prompts_for(tokenizer, 3, model)
    assert (len(prompts), len(others)) == (3, circuit_runs.OTHER_PROMPTS)
    assert {int(prompt.tokens[0]) == tokenizer.bos_token_id for prompt in (*prompts, *others)} == {start}
