"""The bundled models: their grammar, what is known of each token, how they are made, and what they do as shipped."""

import json
import os
import re
import shutil
from dataclasses import replace
from functools import partial
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoConfig, AutoModelForCausalLM

from svf_helpers import pocket
from svf_helpers.ioi import find_roles, paper_prompt
from svf_helpers.language_models import load_model
from svf_helpers.language_models.circuits import PAIRS, circuit_table
from svf_helpers.pocket import __main__ as command
from svf_helpers.pocket import folders, training
from svf_helpers.pocket.grammar import HELD_OUT_SHARE, SHARES
from svf_helpers.pocket.recipe import RECIPES, new_model
from svf_helpers.pocket.scoring import accuracy
from svf_helpers.pocket.tokenizer import IGNORED, rows, token_ids
from svf_helpers.pocket.words import OBJECTS, PLACES
from tests.refusals import refuses

MODELS = ("pocket-gpt2", "pocket-pythia")
GOLDEN = [
    "Yesterday, Laura and Edward went to the school, and Laura handed the coat to Edward.",
    "Yesterday, Amy and Chris had lunch at the hotel. The old horse was hungry. Chris found a watch for Amy.",
]


def some(count, split="train", seed="tests", kinds=pocket.KINDS):
    return list(islice(pocket.sentences(split, seed, kinds), count))


# The grammar


def test_a_seed_gives_these_very_sentences():
    assert [sentence.text for sentence in some(2, seed=22, kinds=["ioi"])] == GOLDEN
    assert some(50) == some(50)
    assert some(50) != some(50, seed="other")


def test_no_training_sentence_has_both_names_of_a_held_out_pair():
    held_out = pocket.held_out_pairs()
    assert 600 < len(held_out) < 900
    for sentence in some(4000):
        assert not held_out & set(combinations(sorted(set(sentence.names.values())), 2))


def test_what_the_models_were_trained_on_has_no_held_out_pair():
    held_out = pocket.held_out_pairs()
    for recipe in RECIPES.values():
        said, _ = recipe.batch_of(recipe.steps - 1)
        assert not any(held_out & set(combinations(sorted(set(s.names.values())), 2)) for s in said)


def test_held_out_sentences_have_a_held_out_pair():
    for sentence in some(300, "held-out", kinds=["ioi", "others", "full", "three"]):
        assert pocket.held_out_pairs() & set(combinations(sorted(set(sentence.names.values())), 2))
    pair = tuple(sorted(pocket.NAMES.index(name) for name in ("Simon", "Andrew")))
    assert pair in pocket.held_out_pairs()


def test_every_name_is_met_in_training_with_most_others():
    met = [sum(name in pair for pair in pocket.held_out_pairs()) for name in range(len(pocket.NAMES))]
    assert max(met) < 35


def test_roles_and_answers_of_the_task():
    for sentence in some(800, kinds=["ioi", "others", "full"]):
        roles, names = sentence.roles, sentence.names
        assert set(roles) == set(pocket.ROLES)
        assert names[roles["S1"]] == names[roles["S2"]] != names[roles["IO"]]
        assert sentence.answers == (names[roles["IO"]],)
        assert names[roles["END"] + 1] == names[roles["IO"]]
        assert roles["S1+1"] == roles["S1"] + 1
        assert (roles["IO"] < roles["S1"]) == (sentence.order == "ABBA")
        assert max(roles["S1"], roles["IO"]) < roles["S2"] < roles["END"]


def test_no_fixed_position_gives_the_answer():
    """Orders are balanced, and places of the roles and their distances spread: none is the usual one."""
    said = some(1000, kinds=["ioi"])
    assert 0.45 < np.mean([sentence.order == "ABBA" for sentence in said]) < 0.55
    for one, other, most in ((None, "IO", 0.3), ("IO", "END", 0.2), ("IO", "S2", 0.3), ("S2", "END", 0.6)):
        places = [s.roles[other] - (s.roles[one] if one else 0) for s in said]
        _, counts = np.unique(places, return_counts=True)
        assert counts.max() < most * len(said), (one, other)
        assert len(counts) >= 3


def test_kinds_come_in_their_shares_and_fit_the_models():
    said = some(4000)
    for kind, share in SHARES.items():
        assert np.mean([sentence.kind == kind for sentence in said]) == pytest.approx(share, abs=0.03)
    assert sum(SHARES.values()) == pytest.approx(1)
    assert max(len(sentence.words) for sentence in said) + 1 <= 64


def test_answers_of_the_other_kinds():
    for sentence in some(600, kinds=["three", "full", "order", "abc"]):
        end = sentence.roles["END"]
        follows = sentence.names[end + 1]
        before = [name for at, name in sorted(sentence.names.items()) if at <= end]
        assert follows in sentence.answers
        assert len(sentence.answers) == 1 or sentence.kind in ("three", "abc")
        assert before.count(follows) == 1
        if sentence.kind == "order":
            assert before.index(follows) == ["first", "second", "third"].index(sentence.words[end - 2])
        elif sentence.kind == "abc":
            assert set(sentence.answers) == set(before[:2])
        else:  # who was named twice has acted; all others may receive
            assert set(sentence.answers) == {name for name in before if before.count(name) == 1}


def test_bystanders_are_named_before_or_after_and_never_asked_for():
    places = []
    for sentence in some(300, kinds=["others"]):
        roles = sentence.roles
        couple = {sentence.names[roles["S1"]], sentence.names[roles["IO"]]}
        others = [at for at, name in sentence.names.items() if name not in couple]
        assert len(others) in (1, 2)
        assert abs(roles["S1"] - roles["IO"]) == 2  # said together
        assert all(at < roles["S2"] for at in others)
        places.append(others[0] < roles["S1"])
    assert 0.4 < np.mean(places) < 0.6


def test_unknown_splits_and_kinds_are_refused():
    with refuses(ValueError, "split 'test'", "train", "held-out"):
        pocket.sentences("test", 0)
    with refuses(ValueError, "kinds", ["poem"], *pocket.KINDS):
        pocket.sentences("train", 0, ["poem"])
    with refuses(ValueError, "kinds", [], *pocket.KINDS):
        pocket.sentences("train", 0, [])


# Tokens and what is known of them


def test_tokenizer_and_grammar_agree():
    tokenizer = pocket.pocket_tokenizer()
    assert tokenizer.get_vocab() == pocket.vocabulary()
    for sentence in some(200):
        ids = tokenizer(sentence.text, add_special_tokens=False)["input_ids"]
        assert ids == token_ids(sentence)
        assert 0 not in ids
        assert tokenizer.decode(ids) == sentence.text
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id == 0


def test_rows_ask_for_the_next_token_and_for_the_end():
    said = some(5)
    tokens, targets = rows(said, [True, False, True, False, True])
    for row, (sentence, start) in enumerate(zip(said, [1, 0, 1, 0, 1], strict=True)):
        length = len(sentence.words) + start
        assert tokens[row, :length].tolist() == [0] * start + token_ids(sentence)
        assert targets[row, : length - 1].tolist() == tokens[row, 1:length].tolist()
        assert targets[row, length - 1] == 0  # the text is over
        assert (targets[row, length:] == IGNORED).all()


@pytest.mark.parametrize("start", [True, False])
def test_facts_say_what_stands_where(start):
    table = pocket.facts(200, seed=2, start=start)
    said = some(200, seed=2)
    for row, sentence in enumerate(said):
        assert table.length[row] == len(sentence.words) + start
        assert pocket.KINDS[table.kind[row]] == sentence.kind
        so_far = []
        for at in range(table.tokens.shape[1]):
            word = sentence.words[at - start] if 0 <= at - start < len(sentence.words) else ""
            name = table.name[row, at]
            assert (pocket.NAMES[name] if name >= 0 else "") == (word if word in pocket.NAMES else "")
            if name >= 0:
                assert table.tokens[row, at] == name + 1
                assert table.occurrence[row, at] == so_far.count(name) + 1
                assert table.duplicate[row, at] == (name in so_far)
                so_far.append(name)
                assert table.order[row, at] == list(dict.fromkeys(so_far)).index(name)
            else:
                nothing = (table.occurrence, table.duplicate, table.order)
                assert [values[row, at] for values in nothing] == [-1, -1, -1]
            assert table.previous[row, at] == (table.name[row, at - 1] if at else -1)
        roles = {pocket.ROLES[table.role[row, at]]: at - start for at in np.flatnonzero(table.role[row] >= 0)}
        assert roles == sentence.roles
        assert table.end[row] == (sentence.roles["END"] + start if "END" in sentence.roles else -1)
        if sentence.kind == "ioi":
            assert table.abba[row] == (sentence.order == "ABBA")
            assert table.answer[row] == sentence.answers[0]
    assert {pocket.KINDS[kind] for kind in table.kind} == set(pocket.KINDS)


def test_facts_of_places_and_objects():
    table = pocket.facts(100, seed=3, kinds=["ioi"])
    assert ((table.object >= 0).sum(1) == 1).all()
    assert ((table.place >= 0).sum(1) >= 1).all()
    tokenizer = pocket.pocket_tokenizer()
    for values, options in ((table.place, PLACES), (table.object, OBJECTS)):
        for row, at in np.argwhere(values >= 0):
            assert tokenizer.decode([table.tokens[row, at]]) == " " + options[values[row, at]]


def test_prompts_of_the_grammar_are_those_the_tokenizer_would_find():
    tokenizer = pocket.pocket_tokenizer()
    prompts = pocket.pocket_prompts(40, seed=1)
    for prompt in prompts:
        subject, recipient = (tokenizer.decode([token]).strip() for token in (prompt.wrong, prompt.answer))
        again = find_roles(tokenizer, prompt.text, subject, recipient, prepend_bos=True)
        assert (again.roles, again.answer, again.wrong, again.order) == (
            prompt.roles,
            prompt.answer,
            prompt.wrong,
            prompt.order,
        )
        assert torch.equal(again.tokens, prompt.tokens)
    assert {prompt.order for prompt in prompts} == {"ABBA", "BABA"}


def test_bad_requests_for_sentences_are_refused():
    with refuses(ValueError, "count = 0"):
        pocket.facts(0, seed=0)
    with refuses(ValueError, "count = 0"):
        pocket.pocket_prompts(0)
    with refuses(ValueError, "kind 'abc'", "ioi", "others", "full"):
        pocket.pocket_prompts(1, kind="abc")


# How they are made


def tiny(name, **changes):
    return replace(RECIPES[name], **{"steps": 6, "batch": 6, "warmup": 2, **changes})


def weights(folder):
    return {path.name: load_file(path) for path in sorted(Path(folder).rglob("*.safetensors"))}


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[file][name], other[file][name]) for file in one for name in one[file])


@pytest.mark.parametrize("name", MODELS)
def test_training_twice_gives_the_same_bits(name, tmp_path):
    recipe = tiny(name, checkpoints=4, first_checkpoint=1)
    torch.manual_seed(1)
    first = weights(training.train(recipe, tmp_path / "first", progress=False, tested_on=4))
    torch.manual_seed(2)  # nobody else's draws matter
    second = weights(training.train(recipe, tmp_path / "second", progress=False, tested_on=4))
    assert set(first) == {"model.safetensors", "step0.safetensors", "step1.safetensors", "step2.safetensors"}
    assert same(first, second)
    other = weights(training.train(replace(recipe, seed=1), tmp_path / "third", progress=False, tested_on=4))
    assert not same(first, other)


def test_an_interrupted_run_resumes_with_the_same_bits(tmp_path, monkeypatch):
    recipe = tiny("pocket-pythia", checkpoints=4, first_checkpoint=1)
    whole = training.train(recipe, tmp_path / "whole", progress=False, tested_on=4)
    parts = training.train(recipe, tmp_path / "parts", progress=False, stop_after=3, tested_on=4)
    assert not (parts / "model.safetensors").exists()
    with refuses(ValueError, parts, "recipe"):
        training.train(replace(recipe, lr=1e-4), parts, progress=False, tested_on=4)
    with monkeypatch.context() as context:  # stopped once more, after the last step and before it is written up
        context.setattr(training._Run, "finish", lambda run: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            training.train(recipe, parts, progress=False, tested_on=4)
    training.train(recipe, parts, progress=False, tested_on=4)
    assert same(weights(whole), weights(parts))
    records = [json.loads((folder / "training.json").read_text()) for folder in (whole, parts)]
    assert records[0]["history"] == records[1]["history"]
    assert records[1]["held-out accuracy by kind"] == records[0]["held-out accuracy by kind"] != {}
    assert sorted(path.name for path in parts.iterdir()) == FILES


FILES = ["config.json", "model.safetensors", "steps", "tokenizer.json", "tokenizer_config.json", "training.json"]


def test_kept_steps_are_log_spaced():
    steps = RECIPES["pocket-pythia"].kept_steps()
    assert len(steps) == 24
    assert (steps[0], steps[1], steps[-1]) == (0, 16, RECIPES["pocket-pythia"].steps)
    ratios = [later / earlier for earlier, later in zip(steps[1:], steps[2:], strict=False)]
    assert max(ratios) / min(ratios) < 1.12
    assert RECIPES["pocket-gpt2"].kept_steps() == (RECIPES["pocket-gpt2"].steps,)


def test_learning_rate_rises_and_falls():
    recipe = RECIPES["pocket-gpt2"]
    rates = [recipe.learning_rate(step) for step in range(recipe.steps)]
    assert max(rates) == recipe.lr == rates[recipe.warmup]
    assert rates[0] == recipe.lr / recipe.warmup
    assert rates[-1] < 1e-6 * 3
    assert rates[recipe.warmup :] == sorted(rates[recipe.warmup :], reverse=True)


def test_shapes_of_the_two_models():
    configs = {name: new_model(RECIPES[name]).config for name in MODELS}
    assert configs["pocket-gpt2"].model_type == "gpt2"
    assert configs["pocket-pythia"].model_type == "gpt_neox"
    assert configs["pocket-pythia"].use_parallel_residual
    for name in MODELS:
        assert RECIPES[name].layers >= 4
        assert sum(p.numel() for p in new_model(RECIPES[name]).parameters()) <= 220_000


@pytest.mark.parametrize("name", MODELS)
def test_shipped_weights_come_from_the_shipped_recipe_and_data(name):
    record = pocket.training_record(name)
    assert record["fingerprint"] == RECIPES[name].fingerprint()
    assert record["steps"] == RECIPES[name].steps
    assert record["revisions"] == [f"step{step}" for step in RECIPES[name].kept_steps()]
    assert [row["step"] for row in record["history"]] == list(RECIPES[name].kept_steps())


def test_the_first_steps_made_again_are_those_shipped(tmp_path):
    """Training code, data and seed of today against the checkpoints in the package, rounding of processors allowed."""
    training.train(RECIPES["pocket-pythia"], tmp_path, progress=False, stop_after=16, tested_on=4)

    def flat(folder, file):
        return torch.cat([weight.float().flatten() for _, weight in sorted(load_file(folder / file).items())])

    shipped = {s: flat(pocket.pocket_folder("pocket-pythia", s), "model.safetensors") for s in ("step0", "step16")}
    again = {step: flat(tmp_path / "steps", f"{step}.safetensors") for step in shipped}
    assert torch.equal(again["step0"], shipped["step0"]) or (again["step0"] - shipped["step0"]).abs().max() < 1e-4
    moved = (shipped["step16"] - shipped["step0"]).abs().mean()
    assert (again["step16"] - shipped["step16"]).abs().mean() < 0.02 * moved


def test_words_outweigh_positions_at_the_start():
    weights = dict(new_model(RECIPES["pocket-gpt2"]).named_parameters())
    std = RECIPES["pocket-gpt2"].init_std
    assert float(weights["transformer.wte.weight"].detach().std()) == pytest.approx(std, rel=0.03)
    assert float(weights["transformer.wpe.weight"].std()) == pytest.approx(std / 4, rel=0.05)


# As shipped


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def hf_model(name):
    return AutoModelForCausalLM.from_pretrained(pocket.pocket_folder(name)).eval()


@pytest.fixture(scope="module")
def bridge(name):
    return TransformerBridge.boot_transformers(str(pocket.pocket_folder(name)), device="cpu")


def test_half_precision_on_disk_and_single_when_loaded(name, hf_model):
    with safe_open(pocket.pocket_folder(name) / "model.safetensors", "pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
    assert {p.dtype for p in hf_model.parameters()} == {torch.float32}
    assert hf_model.get_input_embeddings().weight is hf_model.get_output_embeddings().weight


def test_the_task_is_solved_on_held_out_pairs(hf_model, name):
    for bos in (True, False):
        assert accuracy(hf_model, "held-out", 400, bos) > 0.99
    assert pocket.training_record(name)["held-out accuracy by kind"]["ioi"] > 0.99


def test_records_say_what_the_weights_do(hf_model, name):
    """The last row of the record, measured again on the shipped file."""
    row = pocket.training_record(name)["history"][-1]
    assert accuracy(hf_model, "held-out", 500, True) == pytest.approx(row["held-out"], abs=0.005)


def test_the_papers_own_prompt_is_solved(bridge):
    prompt = paper_prompt(bridge.tokenizer, prepend_bos=True)
    logits = bridge(prompt.batch, prepend_bos=False)[0, prompt.roles["END"]]
    assert int(logits.argmax()) == prompt.answer
    assert bridge.tokenizer.decode([prompt.answer]) == " Andrew"


def test_transformerlens_computes_what_hugging_face_computes(bridge, hf_model):
    tokens = pocket.pocket_prompts(6).tokens
    with torch.no_grad():
        expected = hf_model(tokens).logits
        assert (bridge(tokens, prepend_bos=False) - expected).abs().max() < 1e-4


def test_padding_on_the_right_changes_nothing(bridge):
    """The start mark is also what pads: it must still be seen at the start."""
    prompts = pocket.pocket_prompts(12)
    with torch.no_grad():
        together = bridge(prompts.tokens, prepend_bos=False)
        for row, prompt in enumerate(prompts):
            alone = bridge(prompt.batch, prepend_bos=False)[0]
            assert (together[row, : len(alone)] - alone).abs().max() < 1e-4


def test_every_checkpoint_loads_and_training_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.platformdirs, "user_cache_path", lambda *_: tmp_path)
    scores = {}
    names = pocket.revisions("pocket-pythia")
    for revision in names:
        folder = pocket.pocket_folder("pocket-pythia", revision)
        assert AutoConfig.from_pretrained(folder).model_type == "gpt_neox"
        assert all(weight.isfinite().all() for weight in load_file(folder / "model.safetensors").values())
        if revision in (names[0], names[12], names[-1]):
            model = AutoModelForCausalLM.from_pretrained(folder)
            scores[revision] = accuracy(model, "held-out", 200, True)
    assert list(scores.values())[0] < 0.1
    assert list(scores.values())[-1] > 0.99
    assert pocket.pocket_folder("pocket-pythia", names[-1]) == pocket.pocket_folder("pocket-pythia")


def test_all_weights_together_stay_small(root):
    home = root / "svf_helpers" / "pocket_models"
    assert sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) < 12e6
    for model in MODELS:
        assert {path.name for path in (home / model).iterdir()} <= set(FILES)


# The model card: written by hand, its numbers held to what they tell of


@pytest.fixture(scope="module")
def card(root):
    return (root / "svf_helpers" / "pocket_models" / "README.md").read_text(encoding="utf8")


def tables(card, heading):
    """The tables below a heading, each a list of rows, the one under the titles left out."""
    section = card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    assert blocks, heading
    return [[[cell.strip() for cell in row.strip("|").split("|")] for k, row in enumerate(block.splitlines()) if k != 1]
            for block in blocks]


RECORDS = {name: pocket.training_record(name) for name in MODELS}


def test_card_gives_the_sizes(card):
    (rows,) = tables(card, "Sizes")
    asked = {"width": "d_model", "heads a layer": "heads", "MLP width": "d_mlp", "sentences a step": "batch"}
    of = {
        "parameters": lambda record: record["parameters"],
        "training steps": lambda record: record["steps"],
        "checkpoints": lambda record: len(record["revisions"]),
    }
    assert rows[0] == ["", *MODELS]
    assert len(rows) == 9
    for title, *cells in rows[1:]:
        look = of.get(title, lambda record, title=title: record["recipe"][asked.get(title, title)])
        assert cells == [f"{look(record):,}" for record in RECORDS.values()], title


def test_card_describes_the_grammar(card):
    text = " ".join(card.split())
    pairs = len(pocket.NAMES) * (len(pocket.NAMES) - 1) // 2
    for said in (
        f"{len(pocket.NAMES)} names, {len(PLACES)} places, {len(OBJECTS)} objects, {len(pocket.vocabulary())} tokens",
        f"{len(pocket.held_out_pairs())} of the {pairs:,} pairs of names (about {HELD_OUT_SHARE:.0%}, among them",
    ):
        assert said in text
    (rows,) = tables(card, "Data")
    assert [row[:2] for row in rows[1:]] == [[kind, f"{share:.0%}"] for kind, share in SHARES.items()]
    for kind, _, _, example in rows[1:]:
        assert example == next(pocket.sentences("train", "card", (kind,))).text


def test_card_gives_the_recorded_accuracies(card):
    final, history = tables(card, "Accuracy")
    for name, *cells in final[1:]:
        right = RECORDS[name]["held-out accuracy by kind"]
        assert (cells, list(right)) == ([f"{share:.1%}" for share in right.values()], final[0][1:])
    expected = []
    for name, record in RECORDS.items():
        for row in record["history"]:
            loss = "" if row["loss"] is None else f"{row['loss']:.3f}"
            expected.append([name, f"step{row['step']}", loss, *(f"{row[title]:.1%}" for title in history[0][3:])])
    assert history[0][3:] == list(training.MEASURED)
    assert history[1:] == expected


def test_card_shows_the_circuits(card):
    """Measured anew: other processors round otherwise."""
    stated = re.findall(r"`(pocket-\w+)`, with a mean logit difference of ([\d.]+):", card)
    for (name, difference), shown in zip(stated, tables(card, "Circuit"), strict=True):
        table = circuit_table(load_model(name, device="cpu"), pocket.pocket_prompts(64, 1_000, "train"))
        made = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.markdown().splitlines()[2:]]
        assert abs(table.logit_difference - float(difference)) < 0.06
        assert [row[0] for row in shown[1:]] == [row[0] for row in made]
        assert shown[0][1:8] == ["→".join(pair) for pair in PAIRS]
        numbers = [np.array([row[1:] for row in some], dtype=float) for some in (shown[1:], made)]
        np.testing.assert_allclose(*numbers, atol=0.02)
    assert [name for name, _ in stated] == list(MODELS)
    assert "on 64 sentences of the task" in " ".join(card.split())


def test_card_says_how_the_models_were_made(card):
    text = " ".join(card.split())
    minutes = " and ".join(f"{record['seconds'] / 60:.0f}" for record in RECORDS.values())
    assert f"{minutes} minutes when the shipped weights were made" in text
    for name, record in RECORDS.items():
        assert f"python -m svf_helpers.pocket train {name} --out {name}" in text
        machine = record["machine"]
        assert f"torch {machine['torch']} and transformers {machine['transformers']}." in text


# Folders


def test_unknown_models_and_revisions_are_refused_with_the_right_ones():
    with refuses(ValueError, "'gpt2'", *MODELS):
        pocket.pocket_folder("gpt2")
    with refuses(ValueError, "'x'", *MODELS):
        pocket.revisions("x")
    with refuses(ValueError, "pocket-pythia", "'step17'", *pocket.revisions("pocket-pythia")):
        pocket.pocket_folder("pocket-pythia", "step17")
    last = pocket.revisions("pocket-gpt2")
    with refuses(ValueError, "pocket-gpt2", "'main'", *last, None):
        pocket.pocket_folder("pocket-gpt2", "main")
    assert len(last) == 1


def test_a_damaged_checkpoint_in_the_cache_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.platformdirs, "user_cache_path", lambda *_: tmp_path)
    folder = pocket.pocket_folder("pocket-pythia", "step16")
    assert tmp_path in folder.parents
    whole = (folder / "model.safetensors").read_bytes()
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert pocket.pocket_folder("pocket-pythia", "step16") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp  # kept as it was
    (folder / "model.safetensors").write_bytes(whole[:100])
    assert (pocket.pocket_folder("pocket-pythia", "step16") / "model.safetensors").read_bytes() == whole
    (folder / "config.json").unlink()
    assert (pocket.pocket_folder("pocket-pythia", "step16") / "config.json").is_file()
    assert [path.name for path in folder.parent.iterdir()] == ["step16"]  # nothing half-made is left


def test_a_cache_that_cannot_be_written_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(folders.platformdirs, "user_cache_path", lambda *_: tmp_path / "file")
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path / "other"))
    folder = pocket.pocket_folder("pocket-pythia", "step16")
    assert tmp_path / "other" in folder.parents
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with refuses(OSError, tmp_path / "file"):
        pocket.pocket_folder("pocket-pythia", "step16")


def test_a_package_without_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "files", lambda _: tmp_path)
    with refuses(FileNotFoundError, "pocket-gpt2", "model.safetensors", "svf_helpers"):
        pocket.pocket_folder("pocket-gpt2")


def test_a_read_only_package_serves_all_checkpoints(tmp_path, monkeypatch):
    package = tmp_path / "package"
    shutil.copytree(folders._home("pocket-pythia"), package / "pocket_models" / "pocket-pythia")
    before = sorted(str(path) for path in package.rglob("*"))
    monkeypatch.setattr(folders, "files", lambda _: package)
    monkeypatch.setattr(folders.platformdirs, "user_cache_path", lambda *_: tmp_path / "cache")
    for folder, _, _ in os.walk(package):
        os.chmod(folder, 0o555)
    try:
        for revision in pocket.revisions("pocket-pythia"):
            assert (pocket.pocket_folder("pocket-pythia", revision) / "model.safetensors").is_file()
    finally:
        for folder, _, _ in os.walk(package):
            os.chmod(folder, 0o755)
    assert sorted(str(path) for path in package.rglob("*")) == before


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "train", partial(training.train, tested_on=4))
    assert command.main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(MODELS)
    assert command.main(["train", "pocket-gpt2", "--out", str(tmp_path), "--steps", "1", "--quiet"]) == 0
    assert (tmp_path / "model.safetensors").is_file()
    assert command.main(["train", "pocket-gpt2", "--out", str(tmp_path), "--steps", "0"]) == 2
    with pytest.raises(SystemExit):
        command.main(["train", "gpt2", "--out", str(tmp_path)])
