"""Runs behind the chapter on sparse attention decomposition in the toy model (paper, section 5 and appendix F)."""

from __future__ import annotations

import itertools

import numpy as np

from svf_helpers.experiments.registry import experiment

#: Bases in which relative attention is decomposed, and the null of each: Sigma kept, U and V turned at random.
BASES = ("weights", "whitened")
#: How many pairs of interest a context holds.
PRESENT = (0, 1, 2)


@experiment(
    "sad-toy",
    figures=("Fig 5", "Fig 6", "Fig 7a", "Fig 24"),
    chapter="sad_toy",
    seconds={"quick": 10, "paper": 240},
    compare={"summary_*": 0.05},
)
def sad_toy(scale, device, progress, workdir):
    """The default model along its training, and how its relative attention decomposes with 0, 1 or 2 pairs present."""
    import torch

    from svf_helpers.toy import ToyConfig, train

    seeds, steps, every, count = (range(10), 20_000, 500, 480) if scale == "paper" else (range(1), 2_000, 500, 48)
    config = ToyConfig()
    run = train(config, steps, list(seeds), record=range(0, steps + 1, every), device=device, progress=progress,
                checkpoint=workdir / "place.npz")
    past = run.history
    contexts = _contexts(config, count)
    arrays = {"step": past.steps.numpy(), "seed": np.array(run.seeds), "present": np.array(PRESENT)}
    arrays |= {name: getattr(past, name)[-1].numpy() for name in ("W", "W_Q", "W_K")}
    early = int(past.steps.tolist().index(min(1_000, steps // 2)))
    arrays |= {f"{name}_early": getattr(past, name)[early].numpy() for name in ("W", "W_Q", "W_K")}
    arrays["step_early"] = past.steps[early].numpy()
    rows = [_measured(config, *(array[k] for array in (past.W, past.W_Q, past.W_K)), contexts)
            for k in range(len(past.steps))]
    arrays |= {f"summary_{name}": np.stack([row[name] for row in rows]) for name in rows[0]}
    generator = torch.Generator().manual_seed(10)
    arrays |= _term_against_strengths(config, past.W[-1], past.W_Q[-1], past.W_K[-1], generator)
    return arrays, {"model": config.to_dict(), "seeds": list(seeds), "steps": steps, "every": every,
                    "contexts": count, "bases": list(BASES)}


def _contexts(config, count):
    """Per number of pairs present: strengths of queries and keys, every choice of pairs as often as any other."""
    import torch

    from svf_helpers.toy.planted import Contexts, planted_contexts

    generator = torch.Generator().manual_seed(5)
    pairs = len(config.ranked_pairs)
    found = []
    for present in PRESENT:
        choices = list(itertools.combinations(range(pairs), present))
        drawn = [planted_contexts(config, ranks, count // len(choices), generator) for ranks in choices]
        found.append(Contexts(*(torch.cat(arrays) for arrays in zip(*drawn, strict=True))))
    return found


def _measured(config, W, W_Q, W_K, contexts) -> dict[str, np.ndarray]:
    """Of one record, for all seeds: means over contexts, [seeds, bases, numbers of pairs present] each."""
    import torch

    from svf_helpers.attention import n_sv, null_terms, relative_key, sparsity

    found: dict[str, list] = {name: [] for name in ("sparsity", "null", "n_sv", "top_share", "dominated")}
    for svd in _bases(config, W, W_Q, W_K):
        of_basis: dict[str, list] = {name: [] for name in found}
        generator = torch.Generator().manual_seed(7)
        for x, y in contexts:
            tokens = lambda strengths: strengths.double() @ W.double().mT  # noqa: E731
            query = tokens(x) @ W_Q.double() @ svd.to_query.mT
            key = tokens(relative_key(y, 0)) @ W_K.double() @ svd.to_key.mT
            terms = (query * svd.S[:, None] * key)  # [seeds, contexts, d_head]
            null = null_terms(query.transpose(0, 1), svd.S, key.transpose(0, 1), draws=8, generator=generator)
            share = terms.abs().amax(-1) / terms.abs().sum(-1)
            positive = terms.sum(-1) > 0
            counts = n_sv(terms).double()
            of_basis["sparsity"].append(sparsity(terms).mean(-1))
            of_basis["null"].append(sparsity(null).mean((0, 1)))
            of_basis["n_sv"].append((counts * positive).sum(-1) / positive.sum(-1).clamp_min(1))
            of_basis["top_share"].append(share.mean(-1))
            of_basis["dominated"].append((share > 0.8).double().mean(-1))
        for name, values in of_basis.items():
            found[name].append(torch.stack(values, -1))
    return {name: torch.stack(values, 1).float().numpy() for name, values in found.items()}


def _bases(config, W, W_Q, W_K):
    """The SVD in head space of every seed's head, in each of the bases."""
    from svf_helpers.language_models.frames import frames_of_moments, frames_of_weights, svd_between
    from svf_helpers.language_models.heads import LayerHeads
    from svf_helpers.toy.planted import strength_moments

    W, W_Q, W_K = W.double(), W_Q.double(), W_K.double()
    raw, centred = strength_moments(config)
    q, k = W_Q.mT @ W, W_K.mT @ W
    yield svd_between(frames_of_weights(LayerHeads(W_Q, W_K, None, 1.0)))
    yield svd_between(frames_of_moments(q @ raw @ q.mT, k @ centred @ k.mT))


def _term_against_strengths(config, W, W_Q, W_K, generator) -> dict[str, np.ndarray]:
    """How each pair's term follows the strengths of its features, in contexts as the model was trained on.

    Correlations of the term of the pair's rank with x_i times (y_j less its mean over the other keys), and with x_i y_j
    alone; the points themselves for the first seed.
    """
    from svf_helpers.attention import attention_terms, relative_key
    from svf_helpers.qk import QKSVD, qk_svd
    from svf_helpers.toy.planted import free_contexts

    contexts = free_contexts(config, 2_000, generator)
    svd = qk_svd(W_Q, W_K)
    svd = QKSVD(svd.U[:, None], svd.S[:, None], svd.V[:, None])
    tokens = contexts.query @ W.mT, (contexts.keys[None] @ W[:, None].mT)
    terms = attention_terms(*tokens, 0, svd)[..., : len(config.ranked_pairs)].numpy()  # [seeds, contexts, pairs]
    i, j = zip(*config.ranked_pairs, strict=True)
    x, y = contexts.query.numpy(), contexts.keys.numpy()
    against = {"relative": x[:, i] * relative_key(contexts.keys, 0).numpy()[:, j], "alone": x[:, i] * y[:, 0][:, j]}
    arrays = {"points_term": terms[0, :400].astype(np.float32),
              "points_strength": against["relative"][:400].astype(np.float32)}
    for name, strength in against.items():
        arrays[f"summary_correlation_{name}"] = np.array(
            [[np.corrcoef(terms[s, :, k], strength[:, k])[0, 1] for k in range(len(i))] for s in range(len(terms))]
        )
    return arrays
