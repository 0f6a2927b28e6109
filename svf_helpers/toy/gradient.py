"""The gradient of the toy model's loss, written out by hand.

A step of the toy model is so small that the bookkeeping of automatic differentiation would cost more than the sums
themselves, and so wide that its intermediate arrays should stay where they are from step to step. Everything follows
from three small matrices, $M = W^T W$, $N_Q = W_Q^T W$ and $N_K = W_K^T W$, that act on feature strengths directly:

    z = M x + b,    q = N_Q x_query,    k = N_K x_key,    logits = q^T k.

With RoPE, q and k are turned by the positions of their tokens before they meet, and their gradients turned back. The
tests hold it against automatic differentiation of :func:`svf_helpers.toy.model.losses`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .model import Batch, Parameters
from .rotary_tables import offsets


class Gradient:
    """Computes the gradient of ``L_rec + lam * L_attn`` into ``out``, keeping its working arrays between calls.

    Args:
        batch: what differs between instances.
        out: where the gradient goes.
        features: False leaves W and b alone (fixed dictionary) and skips the reconstruction loss.

    Example:
        >>> from svf_helpers.toy import ToyConfig
        >>> W, b, head = torch.eye(2)[None], torch.ones(1, 2), torch.zeros(1, 2, 2)
        >>> out = Parameters(torch.zeros(1, 2, 2), torch.zeros(1, 2), head, head)
        >>> gradient = Gradient(Batch.of([ToyConfig(n=2, d=2, r=2, pairs={})]), out)
        >>> gradient(Parameters(W, b, head, head), torch.full((1, 2, 5), 0.5))  # all strengths come out too high by 1
        >>> out.b
        tensor([[1., 1.]])
    """

    def __init__(self, batch: Batch, out: Parameters, features: bool = True):
        self.batch, self.out, self.features = batch, out, features
        self._arrays: dict[str, Tensor] = {}
        self._instance = torch.arange(len(out.W_Q), device=out.W_Q.device)[:, None]

    def __call__(
        self, params: Parameters, x: Float[Tensor, "I n T"], positions: Int[Tensor, "I T"] | None = None
    ) -> None:
        """Fill ``out`` with the gradient at ``params`` on the strengths ``x``; RoPE needs the tokens' positions."""
        W, out = params.W, self.out
        alpha = 2 / (self.batch.features * x.shape[-1])  # of the mean square; applied last, to small arrays
        if self.features:
            S, out_b = self._reconstruction(params, x)
            out.b.copy_(out_b.mul_(alpha)[..., 0])
            torch.bmm(W, S + S.mT, out=out.W)
        if self.batch.attends:
            A_q, A_k = self._attention(params, x, alpha, positions)
            torch.bmm(W, A_q.mT, out=out.W_Q).mul_(alpha)
            torch.bmm(W, A_k.mT, out=out.W_K).mul_(alpha)
            if self.features:
                out.W.baddbmm_(params.W_Q, A_q).baddbmm_(params.W_K, A_k)
        if self.features:
            out.W.mul_(alpha)

    def _reconstruction(self, params: Parameters, x: Tensor) -> tuple[Float[Tensor, "I n n"], Float[Tensor, "I n 1"]]:
        """The residual passed back through the ReLU, against the strengths and summed over tokens (times 1/alpha)."""
        z = self._array("z", x.shape, x)
        torch.baddbmm(params.b[..., None], params.W.mT @ params.W, x, out=z)
        dz = self._array("dz", x.shape, x)
        torch.sub(z, x, out=dz)
        dz = torch.ops.aten.threshold_backward.grad_input(dz, z, 0, grad_input=dz)  # zero where z <= 0
        return torch.bmm(dz, x.mT), dz.sum(-1, keepdim=True)

    def _attention(self, params, x, alpha, positions) -> tuple[Float[Tensor, "I r n"], Float[Tensor, "I r n"]]:
        """Gradient of lam * L_attn with respect to q and k, against the strengths (times 1/alpha)."""
        batch = self.batch
        Q, c, r = batch.queries, batch.c, params.W_Q.shape[-1]
        I = len(x)  # noqa: E741 - the instance axis, as everywhere
        x_query, x_key = x[..., :Q], x[..., Q:]
        q = torch.bmm(params.W_Q.mT @ params.W, x_query, out=self._array("q", (I, r, Q), x))
        k = torch.bmm(params.W_K.mT @ params.W, x_key, out=self._array("k", (I, r, c * Q), x))
        turn = None if batch.rotary is None else batch.rotary.of_tokens(positions)
        if turn is not None:
            q, k = turn.rotate(q, slice(Q)), turn.rotate(k, slice(Q, None))
        by_query = k.view(I, r, c, Q)
        wide = self._array("wide", (I, r, c, Q), x)
        logits = torch.mul(q[:, :, None], by_query, out=wide).sum(1).mul_(batch.logit_scale)
        # softmax - softmax is the cross-entropy's gradient; scaled so that alpha, applied last, serves both losses
        g = (logits.softmax(1) - self._targets(x_query, x_key, positions).softmax(1)).mul_(
            batch.lam * (batch.logit_scale / (Q * alpha))
        )
        dq = torch.mul(g[:, None], by_query, out=wide).sum(2)
        if turn is not None:
            dq = turn.rotate(dq, slice(Q), back=True)
        A_q = torch.bmm(dq, x_query.mT)
        dk = torch.mul(g[:, None], q[:, :, None], out=wide).view(I, r, c * Q)
        if turn is not None:
            dk = turn.rotate(dk, slice(Q, None), back=True)
        return A_q, torch.bmm(dk, x_key.mT)

    def _targets(self, x_query: Tensor, x_key: Tensor, positions) -> Float[Tensor, "I c Q"]:
        """As :func:`svf_helpers.toy.model.target_logits`."""
        batch = self.batch
        x_i = x_query[self._instance, batch.pair_query].mul_(batch.pair_target)
        y_j = x_key[self._instance, batch.pair_key].unflatten(-1, (batch.c, batch.queries))
        y_j.mul_(x_i[:, :, None])
        if batch.rotary is not None:
            y_j.mul_(batch.rotary.of_targets(offsets(positions, batch.queries, batch.c)))
        return y_j.sum(1)

    def _array(self, name: str, shape, like: Tensor) -> Tensor:
        if name not in self._arrays or self._arrays[name].shape != tuple(shape):
            self._arrays[name] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return self._arrays[name]
