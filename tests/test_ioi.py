"""Prompts of the indirect-object task and the roles of their tokens, with the real tokenizers of GPT-2 and Pythia."""

import random
from collections import Counter

import jaxtyping
import pytest
import torch
from transformers import AutoTokenizer

from svf_helpers.ioi import (
    GPT2_HEADS,
    NAMES,
    OBJECTS,
    PAPER_PROMPT,
    PLACES,
    PYTHIA_HEADS,
    ROLES,
    TEMPLATES,
    Prompts,
    find_roles,
    ioi_prompts,
    one_token_names,
    paper_prompt,
)
from svf_helpers.pocket import pocket_tokenizer
from tests.refusals import refuses


@pytest.fixture(scope="module", params=["gpt2", "gpt-neox-20b"])
def tokenizer(request, fixtures_folder):
    return AutoTokenizer.from_pretrained(fixtures_folder / "tokenizers" / request.param)


@pytest.fixture(scope="module")
def gpt2(fixtures_folder):
    return AutoTokenizer.from_pretrained(fixtures_folder / "tokenizers" / "gpt2")


class WithoutOffsets:
    """A tokenizer that only codes and decodes, as slow ones do."""

    is_fast = False
    eos_token_id = bos_token_id = unk_token_id = None

    def __init__(self, fast, forgets: str = ""):
        self.fast, self.forgets = fast, forgets

    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": self.fast(text, add_special_tokens=add_special_tokens)["input_ids"]}

    def decode(self, ids):
        text = self.fast.decode(ids)
        return text.replace(self.forgets, "") if self.forgets else text


def said(tokenizer, prompt, role):
    return tokenizer.decode([int(prompt.tokens[prompt.roles[role]])]).strip()


def test_paper_prompt_golden(tokenizer):
    prompt = paper_prompt(tokenizer)
    assert prompt.roles == {"S1": 2, "S1+1": 3, "IO": 4, "S2": 11, "END": 17}
    assert prompt.order == "BABA"
    assert [said(tokenizer, prompt, role) for role in ROLES] == ["Simon", "and", "Andrew", "Simon", "to"]
    assert (tokenizer.decode([prompt.answer]), tokenizer.decode([prompt.wrong])) == (" Andrew", " Simon")
    assert tokenizer.decode(prompt.tokens) == prompt.text == PAPER_PROMPT


def test_paper_prompt_has_gpt2s_own_numbers(gpt2):
    prompt = paper_prompt(gpt2)
    assert prompt.tokens[:5].tolist() == [6423, 11, 11288, 290, 6858]
    assert (prompt.answer, prompt.wrong) == (6858, 11288)


def test_roles_of_every_prompt_are_what_they_say(tokenizer):
    prompts = ioi_prompts(tokenizer, 128, seed=3)
    for prompt in prompts:
        subject, recipient = tokenizer.decode([prompt.wrong]).strip(), tokenizer.decode([prompt.answer]).strip()
        assert subject != recipient
        assert said(tokenizer, prompt, "S1") == said(tokenizer, prompt, "S2") == subject
        assert said(tokenizer, prompt, "IO") == recipient
        assert said(tokenizer, prompt, "END") == "to"
        assert prompt.roles["END"] == len(prompt.tokens) - 1
        assert prompt.roles["S1+1"] == prompt.roles["S1"] + 1
        assert (prompt.roles["IO"] < prompt.roles["S1"]) == (prompt.order == "ABBA")
        assert prompt.roles["IO"] < prompt.roles["S2"]
        # the answer is the token that would follow, not the name as it opens a text
        assert tokenizer(prompt.text + " " + recipient)["input_ids"][-1] == prompt.answer


def test_prompts_vary_in_all_they_should(tokenizer):
    prompts = ioi_prompts(tokenizer, 128, seed=0)
    assert Counter(prompt.order for prompt in prompts) == {"ABBA": 64, "BABA": 64}
    text = " ".join(prompt.text for prompt in prompts)
    assert len({prompt.answer for prompt in prompts}) > 40
    assert all(place in text for place in PLACES)
    assert all(thing in text for thing in OBJECTS)
    openings = {prompt.text.split()[0] for prompt in prompts}
    assert openings == {template.split()[0] for template in TEMPLATES}
    assert len({prompt.roles["S2"] - prompt.roles["S1"] for prompt in prompts}) > 3  # no fixed distance


def test_each_template_is_well_formed():
    for template in TEMPLATES:
        assert template.index("{A}") < template.index("{B}") < template.index("{S}")
        assert template.endswith(" to")
        assert "{place}" in template
        assert "{object}" in template


def test_a_seed_gives_the_same_prompts_and_nobody_elses_draws_matter(tokenizer, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the check of annotations draws numbers itself
    first = [prompt.text for prompt in ioi_prompts(tokenizer, 20, seed=5)]
    torch.rand(3)
    state, other = torch.get_rng_state(), random.getstate()
    assert [prompt.text for prompt in ioi_prompts(tokenizer, 20, seed=5)] == first
    assert torch.equal(state, torch.get_rng_state())
    assert random.getstate() == other
    assert [prompt.text for prompt in ioi_prompts(tokenizer, 20, seed=6)] != first
    assert [prompt.text for prompt in ioi_prompts(tokenizer, 5, seed=5)] == first[:5]


def test_one_order_alone(gpt2):
    prompts = ioi_prompts(gpt2, 6, orders=["ABBA"])
    assert {prompt.order for prompt in prompts} == {"ABBA"}
    assert bool((prompts.at("IO") < prompts.at("S1")).all())


def test_batch_pads_on_the_right(gpt2):
    prompts = ioi_prompts(gpt2, 16)
    row = torch.arange(16)
    for role in ROLES:
        expected = torch.stack([prompt.tokens[prompt.roles[role]] for prompt in prompts])
        assert torch.equal(prompts.tokens[row, prompts.at(role)], expected)
    for number, prompt in enumerate(prompts):
        assert torch.equal(prompts.tokens[number, : len(prompt.tokens)], prompt.tokens)
        assert bool((prompts.tokens[number, len(prompt.tokens) :] == gpt2.eos_token_id).all())
    assert prompts.answers.tolist() == [prompt.answer for prompt in prompts]
    assert torch.equal(prompts[3].batch[0], prompts[3].tokens)


def test_start_token_moves_every_role_by_one(gpt2):
    plain, started = ioi_prompts(gpt2, 4), ioi_prompts(gpt2, 4, prepend_bos=True)
    for before, after in zip(plain, started, strict=True):
        assert int(after.tokens[0]) == gpt2.bos_token_id
        assert torch.equal(after.tokens[1:], before.tokens)
        assert after.roles == {role: place + 1 for role, place in before.roles.items()}
        assert after.answer == before.answer


def test_names_of_several_tokens_are_left_out_or_refused(gpt2):
    assert one_token_names(gpt2, ["Simon", "Dora", "Andrew", "Anneliese"]) == ("Simon", "Andrew")
    with refuses(ValueError, "IO", "'Dora'", 2, "' D'", "'ora'"):
        find_roles(gpt2, "Then, Simon and Dora met. Simon gave a key to", "Simon", "Dora")
    with refuses(ValueError, "S1", "'Dora'"):
        find_roles(gpt2, "Then, Dora and Simon met. Dora gave a key to", "Dora", "Simon")
    prompts = ioi_prompts(gpt2, 30, names=["Simon", "Dora", "Andrew", "Mary"])
    assert not any("Dora" in prompt.text for prompt in prompts)


def test_every_name_on_the_list_is_one_token_in_both(tokenizer):
    assert one_token_names(tokenizer, NAMES) == NAMES


def test_tokenizer_without_offsets_gives_the_same_roles(tokenizer):
    slow = WithoutOffsets(tokenizer)
    for prompt in ioi_prompts(tokenizer, 8):
        subject, recipient = (tokenizer.decode([token]).strip() for token in (prompt.wrong, prompt.answer))
        again = find_roles(slow, prompt.text, subject, recipient)
        assert again.roles == prompt.roles
        assert torch.equal(again.tokens, prompt.tokens)
    with refuses(ValueError, "offsets", PAPER_PROMPT):
        find_roles(WithoutOffsets(tokenizer, forgets=","), PAPER_PROMPT, "Simon", "Andrew")
    with refuses(ValueError, "prepend_bos"):
        find_roles(slow, PAPER_PROMPT, "Simon", "Andrew", prepend_bos=True)


def test_a_name_inside_a_longer_word_is_no_occurrence(gpt2):
    prompt = find_roles(gpt2, "Then, Ben and Simon met Benjamin. Ben gave a key to", "Ben", "Simon")
    assert said(gpt2, prompt, "S2") == "Ben"


@pytest.mark.parametrize(
    ("text", "subject", "recipient", "told"),
    [
        (PAPER_PROMPT + " ", "Simon", "Andrew", (PAPER_PROMPT + " ", "space")),
        (PAPER_PROMPT, "Andrew", "Simon", ("'Andrew' once", "'Simon' twice")),
        (PAPER_PROMPT, "Simon", "Mary", ("'Simon' twice", "'Mary' 0 times")),
        (PAPER_PROMPT, "", "Andrew", ("'' 0 times", "'Andrew' once")),
    ],
)
def test_bad_prompts_are_refused(gpt2, text, subject, recipient, told):
    with refuses(ValueError, *told):
        find_roles(gpt2, text, subject, recipient)


def test_bad_requests_are_refused(gpt2):
    with refuses(ValueError, "count = 0"):
        ioi_prompts(gpt2, 0)
    with refuses(ValueError, "orders", "AABB", "ABBA", "BABA"):
        ioi_prompts(gpt2, 2, orders=["AABB"])
    with refuses(ValueError, "orders", "ABBA", "BABA"):
        ioi_prompts(gpt2, 2, orders=[])
    with refuses(ValueError, "1 of 2 names"):
        ioi_prompts(gpt2, 2, names=["Simon", "Dora"])
    with refuses(ValueError, "prompts"):
        Prompts([])
    with refuses(ValueError, "role 'S3'", *ROLES):
        ioi_prompts(gpt2, 1).at("S3")


def test_a_token_that_holds_more_than_the_name_is_refused():
    text = "(Simon and Andrew met. Simon gave a key to"
    spans = [(0, 6), *((place, place + 1) for place in range(6, len(text)))]

    class Gluing:
        is_fast, unk_token_id = True, None

        def __call__(self, text, **options):
            return {"input_ids": list(range(len(spans))), "offset_mapping": spans}

    with refuses(ValueError, "S1", "'(Simon'", "'Simon'"):
        find_roles(Gluing(), text, "Simon", "Andrew")


def test_words_that_the_tokenizer_does_not_know_are_named():
    with refuses(ValueError, "Friday, sofa") as caught:
        find_roles(pocket_tokenizer(), "On Friday, Amy and Tom met. Tom gave a sofa to", "Tom", "Amy")
    assert not any(known in str(caught.value) for known in ("Amy", "Tom", "gave"))


def test_pythia_heads_are_table_2():
    table = [(head.job, head.layer, head.head, head.destination, head.source) for head in PYTHIA_HEADS]
    assert table == [
        ("Previous Token", 2, 6, "S1+1", "S1"),
        ("Induction", 4, 11, "S2", "S1+1"),
        ("Induction", 4, 6, "S2", "S1+1"),
        ("Induction", 5, 0, "S2", "S1+1"),
        ("Name Mover", 10, 7, "END", "IO"),
        ("Name Mover", 9, 4, "END", "IO"),
        ("Name Mover", 8, 2, "END", "IO"),
        ("Name Mover", 8, 10, "END", "IO"),
        ("S-Inhibition", 7, 9, "END", "S2"),
        ("S-Inhibition", 6, 6, "END", "S2"),
        ("S-Inhibition", 7, 2, "END", "S2"),
        ("Positive Copy Suppression", 8, 9, "END", "S2"),
    ]


def test_gpt2_heads_by_job():
    jobs = {job: [] for job in dict.fromkeys(head.job for head in GPT2_HEADS)}
    for head in GPT2_HEADS:
        jobs[head.job].append(f"{head.layer}.{head.head}")
        assert {head.destination, head.source} <= set(ROLES)
        assert 0 <= head.layer < 12
        assert 0 <= head.head < 12
    assert jobs == {
        "Name Mover": ["9.9", "10.0", "9.6"],
        "Negative Name Mover": ["10.7", "11.10"],
        "Backup Name Mover": ["9.0", "9.7", "10.1", "10.2", "10.6", "10.10", "11.2", "11.9"],
        "S-Inhibition": ["7.3", "7.9", "8.6", "8.10"],
        "Induction": ["5.5", "5.8", "5.9", "6.9"],
        "Duplicate Token": ["0.1", "0.10", "3.0"],
        "Previous Token": ["2.2", "4.11"],
    }
    places = [(head.layer, head.head) for head in GPT2_HEADS]
    assert len(set(places)) == len(places) == 26
    pairs = {head.job: (head.destination, head.source) for head in GPT2_HEADS}
    assert pairs["Name Mover"] == pairs["Negative Name Mover"] == pairs["Backup Name Mover"] == ("END", "IO")
    assert pairs["S-Inhibition"] == ("END", "S2")
    assert pairs["Induction"] == ("S2", "S1+1")
    assert pairs["Duplicate Token"] == ("S2", "S1")
    assert pairs["Previous Token"] == ("S1+1", "S1")
