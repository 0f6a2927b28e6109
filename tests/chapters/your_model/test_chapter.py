"""The chapter on a model of the reader's own: its first cells on other makes of models, and the messages it quotes."""

import ast
import json
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.style import OKABE_ITO
from svf_helpers.chapters.your_model.figures import FIT, term_picture
from svf_helpers.language_models import head_terms_batch, load_model
from tests import tiny_models
from tests.refusals import refuses, unchecked

BOOK = Path(__file__).parents[3] / "book"
CELLS = [cell.source for cell in jupytext.read(BOOK / "your_model.md").cells if cell.cell_type == "code"]
(YOURS,) = (number for number, source in enumerate(CELLS) if source.startswith("NAME ="))  # the cell that readers edit
(PICTURE,) = (number for number, source in enumerate(CELLS) if "term_picture(words" in source)
# kind of model, and the tokenizer of the fixtures that it is saved with
MAKES = [("gpt2", "gpt2"), ("neox", "gpt-neox-20b"), ("llama", "gpt-neox-20b")]


def run(source, space):
    """Execute a cell, and return what its last line shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "your_model.md", "exec"), space)
    return eval(compile(ast.Expression(last.value), "your_model.md", "eval"), space) if last else None


def first_cells(**changed):
    """The chapter's first cells with other values in the lines in capitals; their names, and the figure."""
    space, source = {"__name__": "chapter"}, CELLS[YOURS]
    for name, value in changed.items():
        old = "QUERY, KEY = " if name == "PAIR" else f"{name} = "
        source, count = re.subn(f"^{old}.*$", lambda _, old=old, value=value: f"{old}{value!r}", source, flags=re.M)
        assert count == 1
    shown = [run(of, space) for of in (*CELLS[:YOURS], source, *CELLS[YOURS + 1 : PICTURE + 1])]
    return space, shown[-1]


@pytest.fixture(scope="module")
def saved(tmp_path_factory, fixtures_folder):
    """A folder with a model of some kind, with random weights, and a real tokenizer."""
    from transformers import AutoTokenizer

    def get(kind, tokenizer):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tiny_models, "VOCABULARY", 50_432)
            folder = tiny_models.save(kind, tmp_path_factory.mktemp("models"))
        AutoTokenizer.from_pretrained(fixtures_folder / "tokenizers" / tokenizer).save_pretrained(folder)
        return folder

    return get


def check_printed(told, space):
    """What is printed: terms that sum to rho in both bases, and the counts and sparsities of just these terms."""
    form = r"(\w+): rho = (\S+), the sum of \[(.+)\]\n +N_sv = (\d+); S = (\S+), null (\S+), as low"
    printed = re.findall(form, told)
    assert [row[0] for row in printed] == ["weights", "whitened"]
    for basis, rho, listed, count, S, null in printed:
        terms = torch.tensor([float(term) for term in listed.split(", ")])
        assert len(terms) == space["model"].cfg.d_head
        assert float(rho) == pytest.approx(float(terms.sum()), abs=0.005 * (len(terms) + 1))
        exact, rotated = space["rows"][basis]
        torch.testing.assert_close(exact.cpu(), terms, atol=0.0051, rtol=0)
        assert int(count) == int(n_sv(exact))
        assert float(S) == pytest.approx(float(sparsity(exact)), abs=0.0051)
        assert float(null) == pytest.approx(float(sparsity(rotated).mean()), abs=0.0051)
    assert printed[0][1] == printed[1][1]
    return float(printed[0][1])


@pytest.mark.parametrize(("kind", "tokenizer"), MAKES)
def test_the_first_cells_on_models_of_other_makes(kind, tokenizer, saved, capsys):
    """Only NAME is changed. The head and rho are those of Hugging Face's own model."""
    from transformers import AutoModelForCausalLM

    folder = saved(kind, tokenizer)
    space, figure = first_cells(NAME=str(folder))
    told = capsys.readouterr().out
    rho = check_printed(told, space)
    query, key, words = (space[name] for name in ("query", "key", "words"))
    assert (words[query], words[key]) == ("to", "Simon")
    assert "to" not in words[query + 1 :]
    assert "Simon" not in words[key + 1 : query]
    theirs = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        attention = torch.stack(theirs(space["tokens"], output_attentions=True).attentions)[:, 0, :, query]
    layer, head = divmod(int(attention[..., key].argmax()), attention.shape[1])
    assert space["best"][0] == (layer, head)
    assert f"head {layer}.{head} {attention[layer, head, key]:.2f}," in told
    scores = attention[layer, head, : query + 1].log()  # up to a constant
    others = torch.cat([scores[:key], scores[key + 1 :]])
    assert rho == pytest.approx(float(scores[key] - others.mean()), abs=0.02)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3


def test_the_first_cells_on_the_other_bundled_model(capsys):
    space, _ = first_cells(NAME="pocket-gpt2")
    told = capsys.readouterr().out
    check_printed(told, space)
    assert "head 0.3 0.72" in told


@pytest.mark.parametrize("pair", [("to", "Zebedee"), ("Zebedee", "Simon"), ("Then", "Simon")])
def test_a_word_that_is_no_token_before_the_query_is_named(pair):
    with refuses(ValueError, *map(repr, pair)):
        first_cells(PAIR=pair)


# what the chapter does wrongly: kind of error, and names and numbers that its message has to have
MESSAGES = {
    "no network": ("ConnectionError", "hub"),
    "a model that is not there": ("ValueError", "'gtp2'"),
    "a revision that is not there": ("ValueError", "EleutherAI/pythia-160m", "'step7'"),
    "the same, bundled": ("ValueError", "pocket-gpt2", "'step7'"),
    "a folder that is not there": ("FileNotFoundError", "./my-model"),
    "a model that is too large": ("MemoryError", "EleutherAI/pythia-12b"),
    "a name in two tokens": ("ValueError", "S1", "'Amy Clara'", "2"),
    "a word that is not known": ("ValueError", "Zebedee"),
    "a subject said once": ("ValueError", "subject"),
    "a space at the end": ("ValueError", "space"),
    "key after query": ("ValueError", "5", "3"),
    "the first token as query": ("ValueError", "query = 0"),
    "beyond the end": ("ValueError", "query = 19", "18"),
    "asked to refuse": ("ValueError", "1"),
    "too little text": ("ValueError", "160", "10"),
    "64 prompts at once": ("MemoryError", "cpu", "32"),
    "one prompt": ("MemoryError", "prompts"),
    "Gemma2ForCausalLM": ("ValueError", "50.0"),
    "Qwen3ForCausalLM": ("ValueError", "QK-norm"),
}


def messages(told):
    """What was done, and the error's kind and message, from what a cell of the section on errors prints."""
    found = re.findall(r"^(\S.*)\n((?:    .*\n?)+)", told, flags=re.M)
    return {what: tuple(" ".join(said.split()).split(": ", 1)) for what, said in found}


def test_messages_in_the_chapter_are_those_of_the_code(capsys):
    space, _ = first_cells()
    rest = CELLS[PICTURE + 1 :]
    first, *_, last = (number for number, source in enumerate(rest) if "told(" in source)
    prompts = next(source for source in rest if "ioi_prompts(" in source)
    run(prompts, space)
    capsys.readouterr()
    with unchecked():
        for source in rest[first : last + 1]:
            run(source, space)
    found = messages(capsys.readouterr().out)
    assert set(found) == set(MESSAGES)
    for what, (kind, *words) in MESSAGES.items():
        assert found[what][0] == kind, what
        assert [word for word in words if word not in found[what][1]] == [], what

    notebook = json.loads((BOOK / "your_model.ipynb").read_text())
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", [])]
    shown = {}
    for output in outputs:
        shown |= messages("".join(output.get("text", [])))
    assert {what: shown[what] for what in MESSAGES} == found


def test_half_precision_is_refused_as_the_checklist_says():
    model = load_model("pocket-pythia", device="cpu").to(torch.bfloat16)
    tokens = model.to_tokens("Then, Simon and Andrew were working at the restaurant.", prepend_bos=True)
    with refuses(ArithmeticError, "half precision", "float32"):
        head_terms_batch(model, tokens, query=10, key=3)


def test_the_picture_shows_these_terms():
    attention, terms = np.array([0.1, 0.7, 0.2]), np.array([1.0, -3.0, 0.5])
    rotated = np.array([[1.0, -1.0, 0.0], [-3.0, 1.0, 0.0]])
    figure = term_picture(["a", "$b$", "c" * 20, "not seen"], attention, 1, {"plain": (terms, rotated)})
    looks, bars = figure.axes
    assert [bar.get_height() for bar in looks.patches] == attention.tolist()
    assert [to_hex(bar.get_facecolor()) == OKABE_ITO[1].lower() for bar in looks.patches] == [False, True, False]
    assert [tick.get_text() for tick in looks.get_xticklabels()] == ["a", r"\$b\$", "c" * 11 + "…"]
    assert [bar.get_height() for bar in bars.patches] == terms.tolist()
    assert [to_hex(bar.get_facecolor()) == OKABE_ITO[1].lower() for bar in bars.patches] == [False, True, False]
    assert {text.get_text() for text in bars.texts} == {"2"}
    assert bars.get_legend().get_title().get_text() == "sum -1.5"
    by_chance = [line.get_ydata().tolist() for line in bars.lines[:2]]
    assert by_chance == [[2, 1, 0], [-2, -1, 0]]
    long = term_picture(["w"] * 90, np.full(90, 1 / 90), 5, {"plain": (terms, rotated)})
    assert len(long.axes[0].patches) == FIT
    figure.canvas.draw()
