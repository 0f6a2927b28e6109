"""Every number in the prose of the chapter on a model of the reader's own, as the reader sees it.

Nothing here is stored: all of it is computed from what the chapter's cells have found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.words import low_to_high
from svf_helpers.chapters.your_model.explorer import CHECKPOINTS, HeadState, checkpoints
from svf_helpers.chapters.your_model.pair import Pair
from svf_helpers.language_models.circuit_terms import CircuitTerms
from svf_helpers.language_models.terms import HeadTerms


def numbers(
    name: str,
    pair: Pair,
    looks: Float[Tensor, "layers heads pos"],
    chosen: tuple[int, int],
    rows: Mapping[str, tuple[Tensor, Tensor]],
    *,
    elsewhere: Float[Tensor, " prompts"],
    many: Mapping[str, CircuitTerms],
    states: Mapping[str, Mapping[str, HeadState]],
    at_keys: HeadTerms,
    untrained: Mapping[str, CircuitTerms],
    changed: Mapping[str, float],
    agreement: Mapping[str, Tensor],
    turned: Float[Tensor, " angles"],
    all_heads: HeadTerms,
) -> dict[str, str]:
    """Every number of the chapter's prose and captions, by name.

    For the chosen head (layer, head): its attention from the pair's query (``looks`` is that of all heads), and in
    other prompts; its terms in each basis, with those under rotations, and in these prompts; and at every key that the
    query sees. ``states`` are of the bundled model at its last checkpoint, ``untrained`` terms of all heads of a model
    that has learned nothing. For samples of text there is mean sparsity in the whitened basis of each (``changed``) and
    |cos| of its singular vectors with those of the whole sample; ``turned`` are sparsities with two vectors turned.
    """
    attention = looks[chosen]
    return (
        {"name": name, "head": f"{chosen[0]}.{chosen[1]}"}
        | sentence_numbers(pair, looks, float(attention[pair.key]), rows)
        | many_numbers(float(attention[pair.key]), elsewhere, many)
        | explorer_numbers(states)
        | key_numbers(pair, at_keys)
        | training_numbers(untrained, many)
        | sample_numbers(changed, agreement, turned)
        | uniform_numbers(looks, all_heads)
    )


def sentence_numbers(
    pair: Pair, looks: Float[Tensor, "layers heads pos"], attention: float, rows: Mapping[str, tuple[Tensor, Tensor]]
) -> dict[str, str]:
    """The one sentence: attention, what ρ lets it be at most, and terms, sparsity and null in both bases."""
    n, rho = pair.query + 1, float(rows["weights"][0].sum())
    found = {
        "attention": f"{attention:.2f}",
        "rho": f"{rho:.2f}",
        "n": str(n),
        "uniform": f"{1 / n:.2f}",
        "most": f"{1 / (1 + (n - 1) * math.exp(-rho)):.2f}",
        "heads": str(looks.shape[0] * looks.shape[1]),
        "m": str(len(rows["weights"][0])),
        "draws": str(len(rows["weights"][1])),
    }
    for basis, (terms, rotated) in rows.items():
        S, null = sparsity(terms), sparsity(rotated)
        found |= {
            f"rank-{basis}": str(int(terms.abs().argmax()) + 1),
            f"N-{basis}": str(int(n_sv(terms))),
            f"S-{basis}": f"{S:.2f}",
            f"null-{basis}": f"{null.mean():.2f}",
            f"low-{basis}": str(int((null <= S).sum())),
        }
    return found


def many_numbers(
    attention: float, elsewhere: Float[Tensor, " prompts"], many: Mapping[str, CircuitTerms]
) -> dict[str, str]:
    """Other prompts: whether the head looks there as well, and how often its terms are sparser than their null."""
    holds = elsewhere.mean() > 0.8 * attention
    return {
        "holds": f"The choice {'holds' if holds else 'does not hold'} up",
        "elsewhere": f"{elsewhere.mean():.2f}",
        "elsewhere-range": low_to_high(elsewhere, ".2f"),
        "P": str(len(elsewhere)),
        "above": f"{100 * (many['weights'].relative[0] > 0).double().mean():.0f}",
        **{f"under-{basis}": f"{100 * (found.sparsity < found.null).double().mean():.0f}"
           for basis, found in many.items()},
    }


def explorer_numbers(states: Mapping[str, Mapping[str, HeadState]]) -> dict[str, str]:
    """The explorer's checkpoints, and the heads that do not look at a pair's key, at the last of them."""
    steps = checkpoints()
    idle = [state for heads in states.values() for state in heads.values() if state.attention[state.key] < 0.05]
    return {
        "shown-checkpoints": str(len(CHECKPOINTS)),
        "all-checkpoints": str(len(steps)),
        "last-step": f"{steps[-1]:,}",
        "idle": str(len(idle)),
        "idle-positive": str(sum(state.relative > 0 for state in idle)),
        "idle-sparse": str(sum(state.spread < 0.2 for state in idle)),
    }


def key_numbers(pair: Pair, at_keys: HeadTerms) -> dict[str, str]:
    """The head at the keys that it does not look at: how many have a lower sparsity, and which has the lowest."""
    S, rho = sparsity(at_keys.terms[0, :, 0]), at_keys.relative[0, :, 0]
    sparser, others, lowest = int((S < S[pair.key]).sum()), len(S) - 1, int(S.argmin())
    if sparser > 1:
        told = f"{sparser} of the other {others} keys have"
    else:
        told = f"One of the other {others} keys has" if sparser else "No other key has"
    return {
        "sparser": told,
        "close": str(int(((S < S[pair.key] + 0.02) & (rho < 0)).sum())),
        "sparsest-rho": f"{rho[lowest]:.2f}",
        "sparsest-word": pair.words[lowest],
    }


def training_numbers(untrained: Mapping[str, CircuitTerms], many: Mapping[str, CircuitTerms]) -> dict[str, str]:
    """How far sparsity lies under its null: in a model that has learned nothing, and in the chosen head."""
    lead, trained = (
        {basis: float((found.null - found.sparsity).mean()) for basis, found in of.items()}
        for of in (untrained, many)
    )
    return {
        **{f"lead-{basis}": f"{abs(of):.2f} {'below' if of > 0 else 'above'}" for basis, of in lead.items()},
        **{f"trained-{basis}": f"{of:.2f}" for basis, of in trained.items()},
        "lead-verdict": f"{'that is not much, but' if lead['whitened'] > 0.01 else 'next to nothing, and'} it comes",
    }


def sample_numbers(
    changed: Mapping[str, float], agreement: Mapping[str, Tensor], turned: Float[Tensor, " angles"]
) -> dict[str, str]:
    """Other text for the moments: what that does to sparsity and to the second vector, and what a turn alone does."""

    def change(name: str) -> str:
        by = changed[name] - changed["all"]
        return f"{'falls' if by < 0 else 'rises'} by {abs(by):.2f}"

    return {
        "halves": f"{abs(changed['first half'] - changed['second half']):.2f}",
        "start-one": change("no start token"),
        "start-two": change("no first two"),
        "second": f"{min(float(cosines[1]) for cosines in agreement.values()):.2f}",
        "turned": low_to_high(turned, ".2f"),
    }


def uniform_numbers(looks: Float[Tensor, "layers heads pos"], all_heads: HeadTerms) -> dict[str, str]:
    """All heads at all keys: ρ above 0 with attention below uniform, and heads that look at the first token most."""
    rho, n = all_heads.relative[0], all_heads.relative.shape[1]  # [keys, heads]
    attention = looks.flatten(0, 1).T[:n]
    below = attention <= 1 / n
    return {
        "positive": str(int((rho > 0).sum())),
        "below": str(int(((rho > 0) & below).sum())),
        "fooled": f"{rho[below].max():.1f}",
        "sinks": str(int((looks[:, :, 0] >= looks[:, :, 1:n].amax(-1)).sum())),
    }
