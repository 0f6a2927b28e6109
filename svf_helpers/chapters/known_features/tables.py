"""The chapter's two tables, in Markdown: the kinds that leading directions lean to, and answers without some terms."""

from __future__ import annotations

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.known_features.both_models import BASES, MODELS, head_labels, leaning
from svf_helpers.chapters.known_features.significance import standing_out
from svf_helpers.experiments.store import Result


def kinds_table(result: Result) -> str:
    """For each head, side and basis the kind chosen and the judged |cos|, bold where it stands out after correction.

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(kinds_table(load("known-features")).splitlines()[0])
        | Head | Query: plain | whitened | Key: plain | whitened |
    """
    found = {basis: leaning(result, basis) for basis in BASES.values()}
    held = {basis: standing_out(result, basis) for basis in BASES.values()}

    def cell(head: int, side: int, basis: str) -> str:
        mark = "**" if held[basis][head, side] else ""
        return f"{KINDS[found[basis].kind[head, side]]} {mark}{found[basis].cosine[head, side]:.2f}{mark}"

    rows = ["| Head | Query: plain | whitened | Key: plain | whitened |", "|---|---|---|---|---|"]
    for head, label in enumerate(head_labels(result)):
        cells = [cell(head, side, basis) for side in range(2) for basis in BASES.values()]
        rows.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(rows)


def answers_table(result: Result) -> str:
    """The share of prompts answered right with terms taken out: each job's heads in the plain basis, all in the others.

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(answers_table(load("known-features")).splitlines()[0].split(" | ")[:4])
        ['| Model', 'Basis', 'Heads', 'nothing']
    """
    removed = result.info["config"]["removed"]
    rows = [f"| Model | Basis | Heads | {' | '.join(removed)} |", "|---" * (3 + len(removed)) + "|"]
    for short, name in MODELS.items():
        for basis in ("weights", "whitened", "split"):
            groups, right = result[f"{short}_group_{basis}"], result[f"{short}_joint_correct_{basis}"].mean(-1)
            shown = enumerate(groups) if basis == "weights" else [(-1, "all")]
            for number, group in shown:
                shares = " | ".join(f"{share:.2f}" for share in right[:, number])
                rows.append(f"| {name} | {basis} | {group} | {shares} |")
    return "\n".join(rows)
