"""The circuit of a stored result: whose it is, and what a table says of it."""

from dataclasses import replace

from svf_helpers.chapters.kit.circuits import circuit_markdown, heads_of, is_circuit
from svf_helpers.experiments import load
from svf_helpers.ioi import ORDERS

RESULT = load("pocket-gpt2-ioi")


def test_a_circuit_is_its_heads_and_their_tokens_whatever_their_jobs():
    ours = heads_of(RESULT)
    assert is_circuit(RESULT, [replace(head, job="any") for head in reversed(ours)])
    assert not is_circuit(RESULT, ours[:-1])
    assert not is_circuit(RESULT, [*ours, replace(ours[0], head=1)])
    assert not is_circuit(RESULT, [*ours[1:], replace(ours[0], source="IO")])


def test_a_table_counts_each_order_of_names_by_itself():
    (row,) = circuit_markdown(RESULT).splitlines()[4:]
    rho = RESULT["relative"][-1, 2]
    of_order = [[r for r, kind in zip(rho, RESULT["order"], strict=True) if kind == order] for order in ORDERS]
    shares = [f"{100 * sum(r > 0 for r in of) / len(of):.0f} %" for of in of_order]
    assert row == f"| 4.0 | S1+1→S1 | S1+1 | S1 | {rho.mean():.1f} | {' | '.join(shares)} |"
    assert circuit_markdown(RESULT, sparsity=True).count(" (") == 1 + 3
