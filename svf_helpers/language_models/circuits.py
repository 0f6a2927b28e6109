"""Which heads solve the indirect-object task: where each one looks, and what its mean ablation costs (section 5).

The same three measurements serve the bundled models and large ones: mean attention between the roles of the prompts;
the direct effect of a head on the answer, along the path from END to the logits alone; and the effect of its mean
ablation, with everything that later layers make of it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from ..deprecation import warn_once
from ..ioi import CircuitHead
from ..token_roles import ROLES, Prompts
from .answers import log_probability, logit_difference
from .arguments import whole_number

# (destination, source): where name movers, S-inhibition, duplicate-token, induction and previous-token heads look; and
# S2 at IO, where a model would look that finds the answer before END
PAIRS = (
    ("END", "IO"),
    ("END", "S2"),
    ("END", "S1"),
    ("S2", "S1"),
    ("S2", "S1+1"),
    ("S2", "IO"),
    ("S1+1", "S1"),
)


class CircuitTable(NamedTuple):
    """What every head does on indirect-object prompts.

    ``attention`` [layer, head, pair] is the mean weight that the pair's destination gives its source (pairs as in
    ``PAIRS``). The other three say what is lost when the head's output is replaced by its mean, and are negative where
    something is gained:

    * ``direct`` [layer, head]: how far the logit difference between the right name and the wrong one falls on the
      direct path, where the output at END is changed in the residual stream in front of the unembedding alone (the
      direct logit effect: what a logit lens on this head's output sees);
    * ``ablation_effect`` [layer, head]: how far it falls where the mean is put in at all roles, and later layers go on
      from there (mean ablation);
    * ``log_probability_drop`` [layer, head]: how many nats the right name's log-probability among all tokens falls
      under the same ablation.

    ``logit_difference`` is the mean without any change, ``accuracy`` the share of prompts whose most likely next token
    is the right name.

    Example:
        >>> zeros = torch.zeros(1, 2)
        >>> table = CircuitTable(torch.tensor([[[0.0] * 7, [0.9] + [0.0] * 6]]), zeros, zeros, zeros, 4.0, 1.0)
        >>> table.heads()
        [(0, 1)]
    """

    attention: Float[Tensor, "layer head pair"]
    direct: Float[Tensor, "layer head"]
    ablation_effect: Float[Tensor, "layer head"]
    log_probability_drop: Float[Tensor, "layer head"]
    logit_difference: float
    accuracy: float

    @property
    def total(self) -> Float[Tensor, "layer head"]:
        """The old name of ``ablation_effect``."""
        warn_once("CircuitTable.total", "ablation_effect")
        return self.ablation_effect

    @property
    def surprise(self) -> Float[Tensor, "layer head"]:
        """The old name of ``log_probability_drop``."""
        warn_once("CircuitTable.surprise", "log_probability_drop")
        return self.log_probability_drop

    def heads(self, attention: float = 0.3, effect: float = 0.05) -> list[tuple[int, int]]:
        """Heads that look along one of the pairs at least so much, or that change the logit difference by this share.

        Example:
            >>> zero, one = torch.zeros(1, 1), torch.ones(1, 1)
            >>> table = CircuitTable(torch.zeros(1, 1, 7), zero, one, zero, 4.0, 1.0)
            >>> table.heads(), table.heads(effect=0.5)
            ([(0, 0)], [])
        """
        least = effect * abs(self.logit_difference)
        effects = torch.stack([self.direct, self.ablation_effect, self.log_probability_drop])
        at_work = (self.attention.amax(-1) >= attention) | (effects.abs().amax(0) >= least)
        return [tuple(place) for place in at_work.nonzero().tolist()]

    def at_pairs(self, attention: float = 0.3) -> tuple[CircuitHead, ...]:
        """Each head that gives a pair at least so much attention, with that pair; a head can appear more than once.

        What a head is called in large models is more than where it looks, so its job here is just that: "END→S2".

        Example:
            >>> zero = torch.zeros(1, 1)
            >>> table = CircuitTable(torch.tensor([[[0.9] + [0.0] * 6]]), zero, zero, zero, 4.0, 1.0)
            >>> [(head.job, head.layer, head.head) for head in table.at_pairs()]
            [('END→IO', 0, 0)]
        """
        found = (self.attention >= attention).nonzero().tolist()
        return tuple(CircuitHead("→".join(PAIRS[pair]), layer, head, *PAIRS[pair]) for layer, head, pair in found)

    def markdown(self, attention: float = 0.3, effect: float = 0.05) -> str:
        """The table of those heads, for a page.

        Example:
            >>> zero, one = torch.zeros(1, 1), torch.ones(1, 1)
            >>> table = CircuitTable(torch.zeros(1, 1, 7), zero, one, zero, 4.0, 1.0)
            >>> titles, line, row = table.markdown().splitlines()
            >>> titles
            '| Head | END→IO | END→S2 | ... | S1+1→S1 | Direct | Mean ablation | Log-probability |'
            >>> row
            '| 0.0 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 | 1.00 | 0.00 |'
        """
        titles = ["Head", *(f"{to}→{source}" for to, source in PAIRS), "Direct", "Mean ablation", "Log-probability"]
        rows = [titles, ["---"] * len(titles)]
        for layer, head in self.heads(attention, effect):
            here = (layer, head)
            values = [*self.attention[here].tolist(), *(x[here].item() for x in self[1:4])]
            rows.append([f"{layer}.{head}", *(f"{value:.2f}" for value in values)])
        return "\n".join("|" + "|".join(f" {cell} " if cell != "---" else cell for cell in row) + "|" for row in rows)


def circuit_table(model, prompts: Prompts, batch: int = 32) -> CircuitTable:
    """Measure every head of a model on prompts with roles.

    A head's output is replaced by its mean over the prompts, taken for each role apart, so that what stays is what all
    prompts share: mean ablation, which is activation patching with a mean in place of another prompt's activation. One
    pass of the model for each head, so a model with many heads takes a while.

    Args:
        model: any TransformerBridge; computes on its device.
        prompts: with all five roles; both orders equally often, or means will tell the orders apart.
        batch: prompts at once; fewer need less memory.

    Raises:
        ValueError: for fewer than two prompts, a prompt without a role, a batch of none, or a model whose heads'
            outputs do not add up to its attention layer's (then "direct" would mean nothing).

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> table = circuit_table(load_model("pocket-gpt2", device="cpu"), pocket_prompts(8))
        >>> table.ablation_effect.shape, divmod(table.ablation_effect.argmax().item(), 4)  # head 0.3 matters most
        (torch.Size([5, 4]), (0, 3))
    """
    if len(prompts) < 2:
        raise ValueError("one prompt has no mean to put in place of a head's output: give at least two")
    batch = whole_number("batch", batch, least=1)
    with torch.no_grad():
        return _Measurement(model, prompts, batch).table()


class _Measurement:
    """The unchanged run, part by part, and what is measured from it."""

    def __init__(self, model, prompts: Prompts, batch: int):
        self.model, self.prompts = model, prompts
        self.places = torch.stack([prompts.at(role) for role in ROLES], -1)  # (prompt, role)
        self.layers = range(model.cfg.n_layers)
        slices = [slice(start, start + batch) for start in range(0, len(prompts), batch)]
        # with the names that each part asks for; its tokens keep the padding of the whole
        self.parts = [(part, Prompts(list(prompts)[part])) for part in slices]

    def table(self) -> CircuitTable:
        attention, z, resid, written, logits = self._unchanged()
        normal = logit_difference(logits, self.prompts)
        means = z.mean(0)  # (layer, role, head, d_head)
        ablation_effect, drop = self._ablated(means, normal, log_probability(logits, self.prompts))
        return CircuitTable(
            attention.mean(0).cpu(),
            self._direct(z, means, resid, written, normal),
            ablation_effect,
            drop,
            normal.mean().item(),
            (logits.argmax(-1).cpu() == self.prompts.answers).float().mean().item(),
        )

    def _unchanged(self) -> tuple[Tensor, ...]:
        names = [f"blocks.{layer}.attn.hook_{what}" for layer in self.layers for what in ("pattern", "z")]
        names += [f"blocks.{layer}.hook_attn_out" for layer in self.layers]
        names += [last := f"blocks.{self.layers[-1]}.hook_resid_post"]
        found = []
        for part, _ in self.parts:
            logits, cache = self.model.run_with_cache(
                self._tokens(part), prepend_bos=False, names_filter=lambda name: name in names
            )
            places = self.places[part]
            row = torch.arange(len(places), device="cpu")
            end = places[:, ROLES.index("END")]
            looks = []
            for destination, source in PAIRS:
                to, of = (places[:, ROLES.index(role)] for role in (destination, source))
                looks.append(
                    torch.stack([cache[f"blocks.{i}.attn.hook_pattern"][row, :, to, of] for i in self.layers], 1)
                )
            outputs = [cache[f"blocks.{i}.attn.hook_z"][row[:, None], places] for i in self.layers]
            written = [cache[f"blocks.{i}.hook_attn_out"][row, end] for i in self.layers]
            found.append(
                (torch.stack(looks, -1), torch.stack(outputs, 1), cache[last][row, end], torch.stack(written, 1))
                + (logits[row, end],)
            )
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))

    def _tokens(self, part: slice) -> Tensor:
        """TransformerLens moves text to the model's device, and tokens not."""
        return self.prompts.tokens[part].to(self.model.cfg.device)

    def _direct(self, z: Tensor, means: Tensor, resid: Tensor, written: Tensor, normal: Tensor) -> Tensor:
        drops = torch.zeros(len(self.layers), self.model.cfg.n_heads, dtype=torch.float32, device="cpu")
        end = ROLES.index("END")
        unembed = lambda tokens: self.model.unembed(self.model.ln_final(tokens))  # noqa: E731
        again = [logit_difference(unembed(resid[part]), asked) for part, asked in self.parts]
        if (torch.cat(again) - normal).abs().max() > 1e-3 * (1 + normal.abs().max()):
            raise ValueError("the last tokens, normalised and unembedded, do not give the logits: no direct effects")
        for layer in self.layers:
            W_O = self.model.blocks[layer].attn.W_O  # (head, d_head, d_model)
            said = einsum(z[:, layer, end], W_O, "prompt head d_head, head d_head d_model -> prompt head d_model")
            rest = written[:, layer] - said.sum(1)  # the bias: the same for all prompts
            if (rest - rest[:1]).abs().max() > 1e-3 * written[:, layer].abs().max():
                raise ValueError(f"the heads of layer {layer} do not add up to what it writes: no direct effects here")
            mean = einsum(means[layer, end], W_O, "head d_head, head d_head d_model -> head d_model")
            for part, asked in self.parts:
                changed = resid[part, None] + mean - said[part]
                logits = unembed(changed).unbind(1)
                after = torch.stack([logit_difference(of_head, asked) for of_head in logits], -1)
                drops[layer] += (normal[part, None] - after).sum(0).cpu()
        return drops / len(self.prompts)

    def _ablated(self, means: Tensor, normal: Tensor, likely: Tensor) -> tuple[Tensor, Tensor]:
        drops = torch.zeros(2, len(self.layers), self.model.cfg.n_heads, dtype=torch.float32, device="cpu")
        for part, asked in self.parts:
            places = self.places[part]
            row = torch.arange(len(places), device="cpu")
            for layer in self.layers:
                for head in range(self.model.cfg.n_heads):

                    def replace(z, hook, layer=layer, head=head, row=row, places=places):
                        z = z.clone()
                        z[row[:, None], places, head] = means[layer, :, head].to(z)
                        return z

                    logits = self.model.run_with_hooks(
                        self._tokens(part),
                        prepend_bos=False,
                        fwd_hooks=[(f"blocks.{layer}.attn.hook_z", replace)],
                    )[row, places[:, ROLES.index("END")]]
                    drops[0, layer, head] += (normal[part] - logit_difference(logits, asked)).sum().cpu()
                    drops[1, layer, head] += (likely[part] - log_probability(logits, asked)).sum().cpu()
        return tuple(drops / len(self.prompts))
