"""Every head of the explorer's model at every pair of tokens, for counting what there is to find."""

from __future__ import annotations

import json

from svf_helpers.chapters.your_model.explorer import MODEL, PAIRS, HeadState, head_state
from svf_helpers.language_models.checkpoints import step_of
from svf_helpers.pocket import pocket_folder, revisions


def checkpoints() -> list[int]:
    """The steps at which the explorer's model is stored.

    Example:
        >>> checkpoints()[0], checkpoints()[-1]
        (0, 3600)
    """
    return [step_of(name) for name in revisions(MODEL)]


def all_states(step: int) -> dict[str, dict[str, HeadState]]:
    """What each head does at each pair of tokens.

    Args:
        step: of training, a bundled checkpoint.

    Returns:
        "END→S2" and the like -> "layer.head" -> the head's state.

    Raises:
        ValueError: for a step without a checkpoint.

    Example:
        >>> states = all_states(checkpoints()[-1])
        >>> [name for name, state in states["END→S2"].items() if state.attention[state.key] > 0.5]
        ['1.1', '3.3']
    """
    config = json.loads((pocket_folder(MODEL) / "config.json").read_text(encoding="utf8"))
    places = [
        (layer, head) for layer in range(config["num_hidden_layers"]) for head in range(config["num_attention_heads"])
    ]
    return {
        "→".join(pair): {f"{layer}.{head}": head_state(step, layer, head, number) for layer, head in places}
        for number, pair in enumerate(PAIRS, 1)
    }
