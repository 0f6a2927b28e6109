"""How fast the package's workhorses are: ``python -m tests.benchmarks`` prints one table of ratios (Markdown).

Each pair is run in turn in one process, A B A B ..., after one run of each to warm up; the table gives medians. The
ratio of medians is "how many times as fast". Progress goes to stderr, the table to stdout.
"""

from __future__ import annotations

import math
import platform
import statistics
import sys
import time

import torch
from tqdm import tqdm

from svf_helpers.qk import qk_svd
from svf_helpers.toy import ToyConfig, initial_weights, train
from svf_helpers.toy.model import strengths
from svf_helpers.toy.stream import UniformStream
from svf_helpers.toy.training import learning_rate
from tests.benchmark_terms import terms_rows

HEADS, D_MODEL, D_HEAD = 144, 768, 64
FEW = 3  # heads whose reconstruction is compared in float64
STEPS, INSTANCES = 60, 32
BUDGET = 45.0  # seconds for a pair, after which its repeats end


def in_turn(ours, theirs, repeats: int, what: str) -> tuple[float, float, int]:
    """Median seconds of each, and of how many repeats: fewer than asked for where they take longer than BUDGET."""
    began = time.perf_counter()
    taken = ([], [])
    for repeat in tqdm(range(-1, repeats), desc=what, leave=False):
        for call, times in zip((ours, theirs), taken, strict=True):
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat >= 0:
                times.append(time.perf_counter() - start)
        if repeat >= 0 and time.perf_counter() - began > BUDGET:
            break
    return statistics.median(taken[0]), statistics.median(taken[1]), len(taken[0])


def weights(condition: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Query and key weights whose columns shrink from 1 to 1/condition."""
    generator = torch.Generator().manual_seed(0)
    columns = torch.logspace(0, -math.log10(condition), D_HEAD)
    return tuple(torch.randn(HEADS, D_MODEL, D_HEAD, generator=generator) * columns for _ in range(2))


def error(svd, W_Q: torch.Tensor, W_K: torch.Tensor) -> float:
    """Largest relative Frobenius error of U S V^T over some heads, in float64."""
    U, S, V = (part[:FEW].double() for part in svd)
    full = W_Q[:FEW].double() @ W_K[:FEW].double().mT
    missed = torch.linalg.matrix_norm((U * S[..., None, :]) @ V.mT - full)
    return float((missed / torch.linalg.matrix_norm(full)).max())


def full_svd(W_Q: torch.Tensor, W_K: torch.Tensor):
    U, S, Vh = torch.linalg.svd(W_Q @ W_K.mT)
    return U[..., :D_HEAD], S[..., :D_HEAD], Vh.mT[..., :D_HEAD]


def svd_rows() -> list[list[str]]:
    """qk_svd against the SVD of the product, and against TransformerLens's."""
    from transformer_lens import FactoredMatrix

    def factored_svd(W_Q, W_K):
        return FactoredMatrix(W_Q, W_K.mT).svd()

    rows = []
    for kind, condition in (("well-conditioned", 1), ("columns 1 to 1e-8, both sides", 1e8)):
        W_Q, W_K = weights(condition)
        few = W_Q[:FEW], W_K[:FEW]
        errors = {call: error(call(*few), *few) for call in (qk_svd, full_svd, factored_svd)}
        for call, name, asked, heads, repeats in (
            (full_svd, "`torch.linalg.svd` of the product", 30, HEADS, 3),
            (factored_svd, "TransformerLens's `FactoredMatrix.svd`", 1.5, HEADS, 7),
        ):
            part = W_Q[:heads], W_K[:heads]
            ours, theirs, done = in_turn(lambda p=part: qk_svd(*p), lambda p=part, c=call: c(*p), repeats, name)
            rows.append(
                row(
                    f"`qk_svd`, {heads} heads {D_MODEL}×{D_HEAD}, {kind}", name, ours, theirs, asked, done,
                    f"{errors[qk_svd]:.1e} / {errors[call]:.1e}",
                )
            )  # fmt: skip
    return rows


def train_one_plainly(config: ToyConfig, seed: int, steps: int) -> list[float]:
    """The same model, one instance, as one would write it: autograd, AdamW, the target as a product with T."""
    W, b, W_Q, W_K = (torch.nn.Parameter(array[0]) for array in initial_weights(config, [seed]))
    optimiser = torch.optim.AdamW([W, b, W_Q, W_K], lr=config.lr, weight_decay=config.weight_decay)
    stream = UniformStream([seed], (config.n, config.tokens), torch.device("cpu"))
    T, Q, history = config.targets, config.queries, []
    for step in range(steps):
        x = strengths(stream.next()[0], config.p).T  # [tokens, n]
        x_query, x_key = x[:Q], x[Q:].view(config.c, Q, config.n)
        t = x @ W.T
        loss_rec = (torch.relu(t @ W + b) - x).square().mean()
        q, k = t[:Q] @ W_Q, t[Q:].view(config.c, Q, config.d) @ W_K
        log_attention = torch.einsum("qr,cqr->qc", q, k).log_softmax(-1)
        target = torch.einsum("qi,ij,cqj->qc", x_query, T, x_key).softmax(-1)
        loss = loss_rec - config.lam * (target * log_attention).sum(-1).mean()
        optimiser.param_groups[0]["lr"] = learning_rate(config, step, steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.detach())
    return torch.stack(history).tolist()


def check_same_model(config: ToyConfig) -> None:
    """Both loops go through the same losses on the same strengths."""
    run = train(config, 20, 3, record=range(20), device="cpu")
    ours = (run.history.loss_rec + config.lam * run.history.loss_attn)[:, 0]
    torch.testing.assert_close(ours, torch.tensor(train_one_plainly(config, 3, 20)), rtol=1e-4, atol=1e-5)


def training_rows() -> list[list[str]]:
    """A batch of toy models against one model at a time; on a GPU against two cores."""
    config, seeds = ToyConfig(), list(range(INSTANCES))
    check_same_model(config)
    many = lambda device="cpu", steps=STEPS: train(config, steps, seeds, device=device)  # noqa: E731
    ours, theirs, done = in_turn(many, lambda: train_one_plainly(config, 0, STEPS), 7, "training, batch and single")
    name = f"toy training, {INSTANCES} instances, each and a step"
    rows = [row(name, "a plain loop, one instance", ours / INSTANCES / STEPS, theirs / STEPS, 4, done)]
    name = f"toy training, {INSTANCES} instances, on a GPU"
    if not torch.cuda.is_available():
        return [*rows, [name, "the same on two cores", "no GPU on this machine", "", "", "20", "", ""]]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ours, theirs, done = in_turn(lambda: many("cuda", 20 * STEPS), many, 3, "training, GPU and two cores")
    finally:
        torch.set_num_threads(threads)
    return [*rows, row(name, "the same on two cores", ours / 20 / STEPS, theirs / STEPS, 20, done)]


def row(what, against, ours, theirs, asked, repeats, errors="") -> list[str]:
    return [what, against, seconds(ours), seconds(theirs), f"**{theirs / ours:.1f}**", str(asked), errors, str(repeats)]


def seconds(value: float) -> str:
    return f"{1e3 * value:.3g} ms" if value >= 1e-3 else f"{1e6 * value:.3g} µs"


def main() -> None:
    rows = svd_rows() + training_rows() + terms_rows(in_turn, row)
    header = ["what", "against", "ours", "theirs", "times as fast", "asked", "error, ours / theirs", "repeats"]
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(
        f"\nMedians, each pair run in turn; torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, {gpu}. Errors are relative Frobenius errors of U S Vᵀ, the worst of {FEW} heads."
    )


if __name__ == "__main__":
    sys.exit(main())
