"""Small transformers of many kinds with random weights and large biases, saved in Hugging Face's format."""

from __future__ import annotations

from pathlib import Path

import torch

VOCABULARY = 97
SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 64,
}  # fmt: skip
IDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 32}


def configurations() -> dict[str, tuple]:
    """Name of each kind: its model class and its configuration."""
    import transformers as hf

    grouped = SIZES | IDS | {"num_key_value_heads": 2}
    gpt = IDS | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    return {
        "gpt2": (hf.GPT2LMHeadModel, hf.GPT2Config(**gpt)),
        "neox": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(rotary_pct=0.5, **SIZES, **IDS)),
        "llama": (
            hf.LlamaForCausalLM,
            hf.LlamaConfig(attention_bias=True, rope_parameters=LLAMA3, **grouped),
        ),
        "gptj": (hf.GPTJForCausalLM, hf.GPTJConfig(rotary_dim=4, **gpt)),
        "gptneo": (
            hf.GPTNeoForCausalLM,
            hf.GPTNeoConfig(
                hidden_size=32, num_layers=2, num_heads=4, window_size=64, max_position_embeddings=64,
                attention_types=[[["global", "local"], 1]], **IDS,
            ),
        ),
        "mistral": (hf.MistralForCausalLM, hf.MistralConfig(sliding_window=5, **grouped)),
        "gemma2": (hf.Gemma2ForCausalLM, hf.Gemma2Config(head_dim=8, **grouped)),
        "qwen3": (hf.Qwen3ForCausalLM, hf.Qwen3Config(head_dim=8, **grouped)),
        "bloom": (hf.BloomForCausalLM, hf.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **IDS)),
        "gemma": (hf.GemmaForCausalLM, hf.GemmaConfig(head_dim=8, **grouped)),
        "glm": (hf.GlmForCausalLM, hf.GlmConfig(head_dim=8, **grouped)),
        "cohere": (hf.CohereForCausalLM, hf.CohereConfig(**grouped)),
        "codegen": (hf.CodeGenForCausalLM, hf.CodeGenConfig(rotary_dim=4, **gpt)),
        "smollm3": (hf.SmolLM3ForCausalLM, hf.SmolLM3Config(no_rope_layers=[1, 0], **grouped)),
        "gpt1": (hf.OpenAIGPTLMHeadModel, hf.OpenAIGPTConfig(n_embd=32, n_layer=2, n_head=4, n_positions=64)),
        "yarn": (hf.LlamaForCausalLM, hf.LlamaConfig(rope_parameters=YARN, **grouped)),
    }  # fmt: skip


def save(kind: str, folder: Path, *, biases: float = 1.0) -> Path:
    """A model of this kind with random weights; biases of this size, gains far from 1; no tokenizer."""
    model_class, config = configurations()[kind]
    config.vocab_size = VOCABULARY
    torch.manual_seed(0)
    model = model_class(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.copy_(biases * noise)
            elif "norm" in name or "ln_" in name:
                parameter.copy_(1 + 0.3 * noise)
            else:
                parameter.mul_(6)  # so that attention is far from uniform
    model.save_pretrained(folder / kind)
    return folder / kind


def some_tokens(batch: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))
