"""What is read of a model's heads: weights in front of which the right token stands, for many makes of transformer."""

import pytest
import torch

from svf_helpers.chapters.kit.known_features import head_inputs
from svf_helpers.chapters.known_features.erasure import project_out
from svf_helpers.language_models import head_terms_batch, load_model
from svf_helpers.language_models.heads import read_layer
from tests.refusals import refuses
from tests.tiny_models import save, some_tokens

# Offset gains (gemma), rotation of neighbours by the bridge's flags (glm, cohere), a mask divided by the root of d_head
# (codegen), a layer without rotation (smollm3), normalisation after attention (gpt1); and the three of the book.
KINDS = ("gpt2", "neox", "llama", "gemma", "glm", "cohere", "codegen", "smollm3", "gpt1")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_read_the_tokens_in_front_of_the_head(kind, tmp_path):
    """The sum of terms cannot tell a wrong gain or centring: any frame sums to the score. The vectors can."""
    model = load_model(save(kind, tmp_path), device="cpu")
    tokens = some_tokens(3, 20)
    head_terms_batch(model, tokens, 9, 5)  # terms sum, or it raises
    cache = model.run_with_cache(tokens)[1]
    for layer in range(2):
        place = "hook_resid_pre" if kind == "gpt1" else "ln1.hook_normalized"
        read = cache[f"blocks.{layer}.{place}"].double().flatten(0, 1)
        heads = read_layer(model, layer)
        for name, W in (("q", heads.W_Q), ("k", heads.W_K)):
            vectors = cache[f"blocks.{layer}.attn.hook_{name}"].double().flatten(0, 1)
            for head in range(4):
                of_head = vectors[:, head * vectors.shape[1] // 4]
                expected = of_head - of_head.mean(0)  # without the bias
                torch.testing.assert_close((read - read.mean(0)) @ W[head], expected, rtol=1e-4, atol=1e-4)


def test_what_stands_in_front_of_a_head_is_not_asked_of_a_model_that_normalises_after_it(tmp_path):
    model, direction = load_model(save("gpt1", tmp_path), device="cpu"), torch.ones(32)
    with refuses(ValueError, "layer 0"):
        head_inputs(model, some_tokens(1, 5), 0)
    with refuses(ValueError, "OpenAIGPTLMHeadModel"), project_out(model, 0, 0, "key", direction, 0 * direction):
        pass
