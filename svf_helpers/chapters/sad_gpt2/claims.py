"""Claims of the chapter on counts of terms over many prompts: Figure 9(a), on the bundled model."""

import numpy as np
from jaxtyping import Num

from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.words import list_of
from svf_helpers.chapters.sad_gpt2.numbers import FEW
from svf_helpers.experiments import Result

RESULT, STAND_IN = "pocket-gpt2-ioi", "pocket-gpt2"


@claim("Fig 9a", "for each head of the circuit, 1 to 4 singular vectors are typically enough", RESULT, on=STAND_IN)
def few_singular_vectors_suffice(result: Result) -> Verdict:
    """Medians over the prompts with rho > 0, for each head."""
    of_heads = _attended(result)
    medians = [float(np.median(counts)) for counts in of_heads]
    share, m = float((np.concatenate(of_heads) <= FEW).mean()), result["S_weights"].shape[-1]
    measured = f"medians {list_of(medians, '.0f')} of {m}; 4 or fewer in {share:.0%} of cases with rho > 0"
    return Verdict(max(medians) <= FEW and share > 0.9, measured, share, "more are needed")


@claim("Fig 9a", "typical counts vary from head to head", RESULT, on=STAND_IN)
def counts_vary_by_head(result: Result) -> Verdict:
    """The largest difference between two heads' means, against its standard error over prompts."""
    of_heads = _attended(result)
    means = [float(values.mean()) for values in of_heads]
    errors = [float(values.std(ddof=1)) / len(values) ** 0.5 for values in of_heads]
    low, high = int(np.argmin(means)), int(np.argmax(means))
    difference, error = means[high] - means[low], float(np.hypot(errors[low], errors[high]))
    measured = f"means {', '.join(f'{m:.1f} ± {e:.1f}' for m, e in zip(means, errors, strict=True))}"
    return Verdict(difference > 3 * error, measured, difference, "no more than chance")


@claim("Fig 9a", "few terms suffice because they are singular vectors: terms along random directions need more",
       "known-features", on=STAND_IN)
def random_splits_need_more(result: Result) -> Verdict:
    """Mean N_sv of each head over prompts with rho > 0, against eight random splits of the same scores."""
    ours, splits = result["gpt2_n_sv_weights"], result["gpt2_n_sv_splits"]
    means, *random = (np.array([row[there].mean() for row, there in zip(counts, ours > 0, strict=True)])
                      for counts in (ours, *splits))
    ours_told, mean, lowest = (list_of(of, ".1f") for of in (means, np.mean(random, 0), np.min(random, 0)))
    measured = f"means {ours_told}; random splits {mean}, the lowest of {len(splits)} {lowest}"
    fewer = int((np.min(random, 0) > means).sum())
    return Verdict(bool((np.mean(random, 0) > means).all()), measured, fewer, "not in every head")


def _attended(result: Result) -> list[Num[np.ndarray, " cases"]]:
    """N_sv of each head over the prompts with rho > 0."""
    counts, rho = result["summary_n_sv_weights"][-1], result["relative"][-1]
    return [row[of > 0] for row, of in zip(counts, rho, strict=True)]
