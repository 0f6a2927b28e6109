"""What a model answers on prompts of the indirect-object task: logit difference, log-probability, right or wrong.

All are read from the logits that the unembedding gives at END, the last token of each prompt, for the next one.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..token_roles import Prompts


def logit_difference(logits: Float[Tensor, "prompts d_vocab"], prompts: Prompts) -> Float[Tensor, "prompts"]:
    """The logit of the right name minus that of the wrong one, in each prompt.

    Args:
        logits: at END (:func:`at_end`).
        prompts: whose names these are.

    Example:
        >>> from svf_helpers.ioi import Prompt
        >>> prompts = Prompts([Prompt("", torch.tensor([1, 2]), {"END": 1}, answer=3, wrong=0, order="ABBA")])
        >>> logit_difference(torch.tensor([[1.0, 0.0, 0.0, 5.0]]), prompts)
        tensor([4.])
    """
    right, wrong = (logits.gather(-1, names[:, None].to(logits.device))[:, 0] for names in
                    (prompts.answers, prompts.wrong))
    return right - wrong


def log_probability(logits: Float[Tensor, "prompts d_vocab"], prompts: Prompts) -> Float[Tensor, "prompts"]:
    """The log-probability of the right name among all tokens, in nats, in each prompt.

    Example:
        >>> from svf_helpers.ioi import Prompt
        >>> prompts = Prompts([Prompt("", torch.tensor([1, 2]), {"END": 1}, answer=3, wrong=0, order="ABBA")])
        >>> log_probability(torch.zeros(1, 4), prompts).exp()  # four tokens, all alike
        tensor([0.2500])
    """
    return logits.log_softmax(-1).gather(-1, prompts.answers[:, None].to(logits.device))[:, 0]


def at_end(logits: Float[Tensor, "prompts pos d_vocab"], prompts: Prompts) -> Float[Tensor, "prompts d_vocab"]:
    """The logits at the END of each prompt, whatever its length.

    Example:
        >>> from svf_helpers.ioi import Prompt
        >>> two = Prompts([Prompt("", torch.arange(n), {"END": n - 1}, 7, 8, "ABBA") for n in (2, 3)])
        >>> at_end(torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]), two)
        tensor([[2.],
                [6.]])
    """
    return logits[torch.arange(len(logits), device=logits.device), prompts.at("END").to(logits.device)]


def answers(model, prompts: Prompts) -> tuple[Bool[Tensor, "prompts"], Float[Tensor, "prompts"]]:
    """Whether the indirect object is the likeliest next token, and the logit difference, in each prompt.

    Args:
        model: a TransformerBridge, or any function from tokens to logits with its ``cfg.device``.
        prompts: with roles.

    Returns:
        Right or wrong, and the logit difference; on the CPU.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> right, difference = answers(load_model("pocket-gpt2", device="cpu"), pocket_prompts(4))
        >>> bool(right.all()), bool((difference > 0).all())
        (True, True)
    """
    with torch.no_grad():
        logits = model(prompts.tokens.to(model.cfg.device)).cpu()
    last = at_end(logits, prompts)
    return last.argmax(-1) == prompts.answers, logit_difference(last, prompts)
