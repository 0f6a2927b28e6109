"""Mistakes made on purpose, to show the error messages that they lead to."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Callable
from unittest.mock import patch

from svf_helpers.language_models import load_model

#: Makes whose scores are more than a product of a query and a key.
REFUSED = ("Gemma2", "Qwen3")


def told(what: str, call: Callable, *arguments, **named) -> None:
    """Make a mistake (``what``, in a few words) and print the error message that it leads to.

    Example:
        >>> told("no number", int, "seven")
        no number
            ValueError: invalid literal for int() with base 10: 'seven'
    """
    try:
        call(*arguments, **named)
    except Exception as error:
        said = textwrap.fill(f"{type(error).__name__}: {error}", 72, break_on_hyphens=False)
        print(f"{what}\n{textwrap.indent(said, '    ')}")
    else:
        print(f"{what}\n    (nothing goes wrong)")


def load_where_the_hub_says(answer: Exception, name: str, revision: str | None = None):
    """Raise what ``load_model`` makes of this answer of the hub, without asking the hub.

    Example:
        >>> try:
        ...     load_where_the_hub_says(OSError("gtp2 is not a valid model identifier"), "gtp2")
        ... except ValueError as error:
        ...     print("'gtp2'" in str(error))
        True
    """
    from transformer_lens.model_bridge import TransformerBridge

    with patch.object(TransformerBridge, "boot_transformers", side_effect=answer):
        return load_model(name, revision, device="cpu")


def tiny_model(make: str):
    """A model of one layer with random weights, of a make in ``REFUSED``."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = getattr(transformers, f"{make}Config")(
        vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        intermediate_size=48, pad_token_id=0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        getattr(transformers, f"{make}ForCausalLM")(config).save_pretrained(folder)
        return load_model(folder, device="cpu")
