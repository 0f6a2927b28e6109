"""The numbers in the prose of the chapter on sparse attention decomposition in the toy model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.chapters.sad_toy.numbers import numbers
from svf_helpers.experiments import Result, load
from tests.prose import names_in_prose

RESULT = load("sad-toy")


def terms_with_share(shares: torch.Tensor, rank: int = 0) -> torch.Tensor:
    """Ten terms for each share: the one of that rank has it, the others divide the rest with both signs."""
    rest = (1 - shares)[..., None] / 9 * torch.tensor([1.0, -1, 1, -1, 1, -1, 1, -1, 1])
    return torch.cat([rest[..., :rank], shares[..., None], rest[..., rank:]], -1)


SHARE_EARLY = torch.tensor([[[0.5, 0.5], [0.9, 0.5]], [[0.9, 0.9], [0.9, 0.5]]])  # [seeds, pairs, contexts]
LIVE = {
    "one_early": terms_with_share(SHARE_EARLY),
    "one_late": 8 * terms_with_share(torch.tensor([[[0.93, 0.99], [1.0, 0.98]], [[0.99, 0.99], [0.96, 1.0]]])),
    "two_late": terms_with_share(torch.tensor([[0.5, 0.9, 0.8], [0.55, 0.9, 0.75]])),
    "none_late": 3e-6 * terms_with_share(torch.tensor([[0.3, 0.3, 0.3, 0.9], [0.3, 0.3, 0.3, 0.3]]), rank=6),
    "strength": torch.tensor([[0.4, 0.9], [0.00321, 0.7]]),
    "ratio": torch.tensor([1.0, 1 / 9, 1 / 4]),
    "crumbs": torch.tensor([[0.01, 0, 0, 0, 0.08, 0.01, 0, 0, 0, 0], [0.0, 0, 0, 0, -0.1, 0, 0, 0, 0, 0]]),
    "crumb_S": torch.tensor([20.0, 18, 16, 14, 0.5, 0.2, 0.1, 0, 0, 0]),
    "reached": torch.tensor([9.0, 9, 9, 9, 3.0, 1.0, 1.5, 0.1, 0.1, 0.1]),
    "start": torch.tensor([[3.0, -1.0], [1.0, -3.0], [2.0, -2.0], [4.0, 0.0]]) @ torch.eye(2, 10),
    "centred": 0.1234,
}


def found(result: Result = RESULT, **changed) -> dict[str, str]:
    return numbers(result, **(LIVE | changed))


def picked(*names: str) -> list[str]:
    return [found()[name] for name in names]


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("sad_toy") == set(found())


def test_shares_with_one_pair():
    assert picked("early-over", "early-over-range", "late-min", "late-count") == ["50", "25 to 75", "93", "8"]


def test_the_weakest_pair_is_looked_at_in_every_head():
    assert picked("weakest", "weakest-share") == ["3e-3", "96"]  # second pair, first context: shares 1 and .96


def test_shares_with_two_pairs_beside_the_predicted_ones():
    assert picked("two-over", "two-error") == ["33", "0.050"]  # predicted .5, .9, .8; .8 itself is not more than 80 %


def test_what_is_left_without_a_pair():
    assert picked("none-over", "none-over-range") == ["12", "0 to 25"]
    assert picked("size-none", "size-one") == ["1e-6", "8.0"]
    # four of the nine others, and the leading term itself, are of ranks 5 to 10
    unused = np.mean([0.3 + 0.7 * 5 / 9] * 7 + [0.9 + 0.1 * 5 / 9])
    assert picked("tail") == [f"{100 * unused:.0f}"]
    assert float(picked("end-part")[0]) == pytest.approx(100 * 0.3, abs=0.5)  # the median seed: the lower of two


def test_crumbs_at_step_4000():
    assert picked("first-four", "fifth-part") == ["5.0", "90"]
    assert picked("fifth", "fifth-ratio", "sees-query") == ["0.500", "2.5", "2.0"]
    assert picked("crumb-size") == ["0.100"]


def test_before_training_terms_cancel():
    assert picked("below", "negative") == ["50", "38"]  # sums 2, -2, 0, 4; negative parts 1/4, 3/4, 1/2, 0


def test_slopes_are_the_targets():
    assert [float(slope) for slope in picked("slopes")[0].split(", ")] == pytest.approx([24, 21, 18, 15], abs=0.5)


def test_the_order_of_sparsity_seed_by_seed():
    none, one, two = np.moveaxis(RESULT["summary_sparsity"][:, :, 0], -1, 0)
    ordered = [[a < b < c for a, b, c in zip(*row, strict=True)] for row in zip(one, two, none, strict=True)]
    since = next(k for k in range(len(ordered)) if all(map(all, ordered[k:])))
    lowest = min(range(len(none)), key=lambda k: none[k].mean())
    assert picked("order-end", "order-dip") == [str(sum(ordered[-1])), str(sum(ordered[lowest]))]
    assert picked("order-since") == [f"{RESULT['step'][since]:,}"]
    assert picked("dip-step", "dip") == [f"{RESULT['step'][lowest]:,}", f"{none[lowest].mean():.2f}"]


def test_counts_are_those_of_the_record_at_step_4000():
    at = RESULT["step"].tolist().index(4000)
    counts = RESULT["summary_n_sv"].copy()
    counts[at, :, 0, 1] = 7
    changed = replace(RESULT, arrays={**RESULT.arrays, "summary_n_sv": counts})
    assert {name for name, text in found(changed).items() if text != found()[name]} == {"nsv-middle"}
    assert found(changed)["nsv-middle"] == "7.0"


def test_at_least_is_rounded_down():
    relative = RESULT["summary_correlation_relative"].copy()
    relative[0, 0] = 0.99989
    changed = replace(RESULT, arrays={**RESULT.arrays, "summary_correlation_relative": relative.clip(0.99989)})
    assert found(changed)["r-relative"] == "0.9998"
