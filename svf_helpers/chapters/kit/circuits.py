"""The circuit that a stored result decomposes: its heads, what figures and tables call them, and what was run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from svf_helpers.chapters.kit.circuit_runs import HEAD_FIELDS, circuit_of
from svf_helpers.chapters.kit.words import table
from svf_helpers.experiments import Result
from svf_helpers.ioi import ORDERS, CircuitHead

__all__ = [
    "about_result",
    "circuit_markdown",
    "head_number",
    "head_titles",
    "heads_markdown",
    "heads_of",
    "is_circuit",
    "model_of",
]


def heads_of(result: Result, prefix: str = "") -> list[CircuitHead]:
    """The heads of a stored result, each with the destination and the source token at which it was decomposed.

    A result of several models has the name of each as a prefix of its arrays.

    Example:
        >>> from svf_helpers.experiments import load
        >>> heads_of(load("pocket-gpt2-ioi"))[0]
        CircuitHead(job='END→S2', layer=0, head=3, destination='END', source='S2')
    """
    return list(circuit_of({name: result[prefix + name] for name in HEAD_FIELDS}))


def head_number(head: CircuitHead) -> str:
    """Layer and number of a head, as in "7.9"."""
    return f"{head.layer}.{head.head}"


def head_titles(circuit: Iterable[CircuitHead]) -> list[str]:
    """What figures and tables call the heads: layer, number, and from where to where each looks.

    Example:
        >>> head_titles([CircuitHead("S-Inhibition", 7, 9, "END", "S2")])
        ['7.9 END→S2']
    """
    return [f"{head_number(head)} {head.destination}→{head.source}" for head in circuit]


def heads_markdown(
    circuit: Sequence[CircuitHead], columns: Sequence[str] = (), cells: Sequence[Sequence[str]] | None = None
) -> str:
    """A circuit as a Markdown table, one line for each head, with more columns if there is more to say.

    Example:
        >>> print(heads_markdown([CircuitHead("Name Mover", 8, 2, "END", "IO")], ["Mean ρ"], [["3.1"]]))
        | Head | Job | Destination | Source | Mean ρ |
        |---|---|---|---|---|
        | 8.2 | Name Mover | END | IO | 3.1 |
    """
    rows = ([head_number(head), head.job, head.destination, head.source, *more]
            for head, more in zip(circuit, cells or [()] * len(circuit), strict=True))
    return table(["Head", "Job", "Destination", "Source", *columns], rows)


def circuit_markdown(result: Result, sparsity: bool = False) -> str:
    """A stored circuit as a Markdown table: how much and how often each head attends at the end, and how sparsely.

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(circuit_markdown(load("pocket-gpt2-ioi"), sparsity=True).splitlines()[2])
        | 0.3 | END→S2 | END | S2 | 6.5 | 100 % | 100 % | 0.11 (0.25) |
    """
    rho, S, null = (result[name][-1] for name in ("relative", "summary_sparsity_weights", "summary_null_weights"))
    columns = ["Mean ρ", *(f"ρ > 0, {kind}" for kind in ORDERS)]
    cells = [[f"{of.mean():.1f}", *(f"{100 * (of[result['order'] == kind] > 0).mean():.0f} %" for kind in ORDERS)]
             for of in rho]
    if sparsity:
        columns.append("S (null)")
        for row, s, z in zip(cells, S, null, strict=True):
            row.append(f"{s.mean():.2f} ({z.mean():.2f})")
    return heads_markdown(heads_of(result), columns, cells)


def about_result(result: Result, wanted: str, in_its_place: str) -> dict[str, str]:
    """The sentences about the result that a chapter's figures show: a large model's, or a bundled one's.

    Example:
        >>> from svf_helpers.experiments import load
        >>> about_result(load("pocket-gpt2-ioi"), "gpt2-ioi", "pocket-gpt2")["shown"]
        'No result gpt2-ioi is stored here yet, so the figures below show pocket-gpt2 in its place'
    """
    model = model_of(result)
    if result.info["name"] == wanted:
        shown = f"The figures below show the result {wanted}, made from {model}"
    else:
        shown = f"No result {wanted} is stored here yet, so the figures below show {in_its_place} in its place"
    return {
        "shown": shown,
        "command": result.command,
        "H": str(len(result["layer"])),
        "P": str(result["relative"].shape[-1]),
        "m": str(result["S_weights"].shape[-1]),
    }


def model_of(result: Result) -> str:
    """The model of a stored result, without the folder or the organisation before its name."""
    return str(result.info["config"]["model"]).split("/")[-1]


def is_circuit(result: Result, published: Iterable[CircuitHead]) -> bool:
    """Whether the heads of a stored result, and the tokens at which they work, are the published ones."""
    theirs, ours = ({(h.layer, h.head, h.destination, h.source) for h in of} for of in (published, heads_of(result)))
    return theirs == ours
