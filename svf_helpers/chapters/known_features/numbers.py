"""Every number in the prose of the chapter on known features, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.kit.leading_terms import FAMILIES, Sample
from svf_helpers.chapters.known_features.both_models import (
    BASES,
    MODELS,
    attention_lost,
    attention_without,
    head_labels,
    leaning,
    mean_counts,
    of_both,
)
from svf_helpers.chapters.known_features.one_head import lengths_of_effect
from svf_helpers.chapters.known_features.significance import standing_out
from svf_helpers.experiments.store import Result
from svf_helpers.pocket.facts import ROLES, Facts

NAME, SAID, END, POSITION = (KINDS.index(kind) for kind in ("name", "said before", "END", "position"))
QUERY, KEY = range(2)
_KEYS = {"plain": "weights", "white": "whitened"}  # as the glued names have it -> basis


def numbers(
    result: Result,
    erased: Result,
    *,
    table: Facts,
    measured: Sample,
    then: Mapping[str, float],
    now: Mapping[str, float],
) -> dict[str, str]:
    """Every number of the chapter's prose and captions, by name.

    Stored are "known-features" and "erased-features". Of the page are the training sentences, the features' directions
    on them in front of layer 0, and |cos| of head 0.3's leading key direction with each kind, without the position in
    the list (``then``) and with it (``now``).
    """
    return (
        confounder_numbers(table, measured, then, now)
        | agreement_numbers(result)
        | name_numbers(result)
        | term_numbers(result)
        | answer_numbers(result)
        | erased_numbers(erased)
        | erased_answer_numbers(erased)
        | both_ways_numbers(result, erased)
    )


def confounder_numbers(
    table: Facts, measured: Sample, then: Mapping[str, float], now: Mapping[str, float]
) -> dict[str, str]:
    """Head 0.3: what "said before" seemed to be, and is; and how few words END is."""
    lengths = lengths_of_effect("said before", measured, table)
    _, times = np.unique(table.tokens[table.role == ROLES.index("END")], return_counts=True)
    return {
        "said-before-then": f"{then['said before']:.2f}",
        "said-before-now": f"{now['said before']:.2f}",
        **{f"said-length-{name}": f"{length:.1f}" for name, length in lengths.items()},
        "end-words": str(len(times)),
        "end-share": f"{100 * times.max() / times.sum():.0f}",
    }


def agreement_numbers(result: Result) -> dict[str, str]:
    """How leading directions lean to kinds: means, nulls, and how many stand out."""
    random = of_both(result, "random_weights").astype(float)  # [heads, sides, families, draws]
    found = {
        "H": str(len(head_labels(result))),
        "sides": str(standing_out(result, "weights").size),
        "draws": f"{result.info['config']['draws']:,}",
        "random": f"{random[:, :, list(FAMILIES).index('kinds')].mean():.2f}",
    }
    for key, basis in _KEYS.items():
        reading, pattern = (leaning(result, basis, way) for way in ("reading", "pattern"))
        high, low = (int(standing_out(result, basis, off).sum()) for off in (-1, 1))
        found |= {
            f"cos-{key}": f"{reading.cosine.mean():.2f}",
            f"rot-{key}": f"{reading.rotated.mean():.2f}",
            f"above-{key}": str((reading.cosine > 0.8).sum()),
            f"pattern-above-{key}": str((pattern.cosine > 0.8).sum()),
            f"pattern-rot-{key}": f"{pattern.rotated.mean():.2f}",
            f"held-{key}": str(standing_out(result, basis).sum()),
            f"held-{key}-range": f"{low} to {high}",
        }
    return found


def name_numbers(result: Result) -> dict[str, str]:
    """The heads that look at a name: how many, and how many of them lean to "name" in the key."""
    on_name = looks_at_name(result)
    reads = {key: leaning(result, basis).kind[on_name, KEY] == NAME for key, basis in _KEYS.items()}
    return {"on-name": str(on_name.sum())} | {f"reads-name-{key}": str(of.sum()) for key, of in reads.items()}


def looks_at_name(result: Result) -> np.ndarray:
    """Whether a head looks at a name. [heads]"""
    return np.isin(of_both(result, "source"), ("S1", "S2", "IO"))


def term_numbers(result: Result) -> dict[str, str]:
    """Attention with terms taken out: means over heads, and the head in which a fixed set does worst."""
    left = attention_without(result, "weights")
    worst = int(np.argmax(left["fixed"] / left["nothing"]))
    shown = {"nothing": "nothing", "top": "top", "random": "random", "fixed": "fixed",
             "only-top": "all but top", "only-random": "all but random"}
    return {
        **{f"att-{key}": f"{left[what].mean():.2f}" for key, what in shown.items()},
        "repeats": str(result.info["config"]["repeats"]),
        "terms-of": str(result["gpt2_order_weights"].shape[1]),
        "fixed-worst": head_labels(result)[worst],
        "fixed-worst-att": f"{left['fixed'][worst]:.2f}",
        "fixed-worst-normal": f"{left['nothing'][worst]:.2f}",
    }


def answer_numbers(result: Result) -> dict[str, str]:
    """Answers with terms taken out of all heads of a circuit, and how many terms random splits need."""
    removed, found, idle = result.info["config"]["removed"], {}, []
    for short in MODELS:
        counts = mean_counts(result, short)
        right = dict(zip(removed, result[f"{short}_joint_correct_weights"].mean(-1), strict=True))  # [groups]
        found[f"{short}-times"] = f"{counts['random splits'] / counts['plain']:.1f}"
        found |= {f"{short}-{what.replace(' ', '-')}": f"{right[what][-1]:.2f}" for what in ("top", "all but top")}
        jobs = result[f"{short}_group_weights"]
        idle += right["top"][~np.isin(jobs, ("END→S2", "all"))].tolist()
    return found | {"idle-jobs": f"{min(idle):.2f}"}


def erased_numbers(erased: Result) -> dict[str, str]:
    """Attention lost without a kind: END in queries, "name" in keys, the position, and all that matters to no head."""
    lost = attention_lost(erased)
    from_end, on_name = of_both(erased, "destination") == "END", looks_at_name(erased)
    after = of_both(erased, "destination") == "S1+1"
    others = np.delete(lost, [END, NAME, POSITION, KINDS.index("after a name")], -1)
    at_s2 = -100 * lost[KEY, of_both(erased, "source") == "S2", SAID]
    signed = {"mean": at_s2.mean(), "low": at_s2.min(), "high": at_s2.max()}
    return {
        "from-end": str(from_end.sum()),
        "end-first": str((lost[QUERY, from_end].argmax(-1) == END).sum()),
        "end-lost": f"{100 * lost[QUERY, from_end, END].mean():.0f}",
        "name-first": str((lost[KEY, on_name].argmax(-1) == NAME).sum()),
        "name-lost": f"{100 * lost[KEY, on_name, NAME].mean():.0f}",
        "position-lost": f"{100 * lost[KEY, 0, POSITION]:.0f}",  # of the first head, 0.3 of pocket-gpt2
        "said-lost": f"{100 * lost[KEY, 0, SAID]:.0f}",
        "others-most": f"{100 * others.max():.0f}",
        "others-gain": f"{-100 * others.min():.0f}",
        "after-count": str(after.sum()),
        "after-most": f"{100 * lost[QUERY, after].max():.0f}",
        **{f"said-s2-{name}": f"{change:+.0f}".replace("-", "−") for name, change in signed.items()},
    }


def erased_answer_numbers(erased: Result) -> dict[str, str]:
    """Answers with END taken out of a circuit's queries, or "name" out of its keys, and with as much at random."""
    found: dict[str, str] = {}
    for short in MODELS:
        right, control = (erased[f"{short}_{what}"].mean(-1) for what in ("correct", "correct_control"))
        for key, at in (("end", (QUERY, END)), ("name", (KEY, NAME))):
            found |= {f"{short}-no-{key}": f"{right[at]:.2f}", f"{short}-{key}-control": f"{control[at]:.2f}"}
    return found


def both_ways_numbers(result: Result, erased: Result) -> dict[str, str]:
    """Sides that lose most of their attention with one kind, and whether the leading vector leans most to that kind."""
    lost, control = attention_lost(erased), attention_lost(erased, "control")
    most = lost.argmax(-1)  # [sides, heads]
    decisive = lost.max(-1) > 0.5
    of_control = np.take_along_axis(control, most[..., None], -1)[..., 0]
    agree = {key: leaning(result, basis).kind.T == most for key, basis in _KEYS.items()}
    miss = decisive & ~agree["plain"]
    commonest = [np.bincount(most[side][decisive[side]]).max() for side in (QUERY, KEY)]
    return {
        "decisive": str(decisive.sum()),
        "decisive-of": str(decisive.size),
        "largest-mean": f"{100 * lost.max(-1)[decisive].mean():.0f}",
        "second-most": f"{100 * np.sort(lost, -1)[..., -2][decisive].mean():.0f}",
        "control-largest": f"{100 * of_control[decisive].mean():.0f}",
        **{f"agree-{key}": str(of[decisive].sum()) for key, of in agree.items()},
        "misses": str(miss.sum()),
        "held-misses": str((standing_out(result, BASES["plain"]).T & miss).sum()),
        "guess": str(sum(commonest)),
    }
