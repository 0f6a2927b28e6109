"""Rotation by position: its algebra, and agreement with the rotary code of real transformer layers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers.qk import qk_svd
from svf_helpers.rope import Rotary, band_energy, qk_svd_at_offset
from tests.draws import normal
from tests.refusals import refuses

PAIRINGS = ("neighbours", "halves")
KINDS = [Rotary.of(10, pairing=pairing) for pairing in PAIRINGS] + [
    Rotary.of(10, 6, pairing=pairing) for pairing in PAIRINGS
]


# --- The algebra


def test_frequencies_and_periods_of_the_paper():
    """Appendix D: ten dimensions, five bands; the second comes round once in about 40 positions."""
    rotary = Rotary.of(10, pairing="neighbours")
    periods = [2 * math.pi / frequency for frequency in rotary.frequencies]
    assert periods == pytest.approx([6.283, 39.64, 250.1, 1578.2, 9957.6], rel=1e-3)


def test_planes_of_both_pairings():
    assert Rotary.of(8, 6, pairing="neighbours").planes.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert Rotary.of(8, 6, pairing="halves").planes.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("rotary", KINDS)
def test_a_plane_turns_from_its_first_dimension_to_its_second(rotary):
    """The direction of the rotation: with the other sign, every score would see the offset reversed."""
    for (first, second), angle in zip(rotary.planes.tolist(), rotary.frequencies, strict=True):
        turned = rotary.rotate(torch.eye(10, dtype=torch.float64)[first], 3)
        expected = torch.zeros(10, dtype=torch.float64)
        expected[first], expected[second] = math.cos(3 * angle), math.sin(3 * angle)
        torch.testing.assert_close(turned, expected)


@pytest.mark.parametrize("rotary", KINDS)
@given(m=st.integers(-5000, 5000), k=st.integers(-5000, 5000))
@settings(max_examples=20, deadline=None)
def test_rotations_add_up_and_keep_lengths(rotary, m, k):
    x = normal(3, 10)
    torch.testing.assert_close(rotary.rotate(rotary.rotate(x, m), k), rotary.rotate(x, m + k))
    torch.testing.assert_close(rotary.rotate(x, m).norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(rotary.matrix(m) @ x[0], rotary.rotate(x, m)[0])


@pytest.mark.parametrize("rotary", KINDS)
def test_a_score_depends_on_the_offset_alone(rotary):
    r"""(R_m W_Q^T t_q)^T (R_l W_K^T t_k) = t_q^T W_Q R_(m-l)^T W_K^T t_k."""
    W_Q, W_K, t_q, t_k = normal(12, 10), normal(12, 10, seed=1), normal(12, seed=2), normal(12, seed=3)
    for m, l in ((7, 2), (107, 102), (2, 7)):  # noqa: E741
        score = rotary.rotate(t_q @ W_Q, m) @ rotary.rotate(t_k @ W_K, l)
        torch.testing.assert_close(score, t_q @ W_Q @ rotary.matrix(m - l).T @ W_K.T @ t_k)


def test_what_is_beyond_the_rotary_dimensions_passes_through():
    x = normal(4, 10)
    for rotary in KINDS[2:]:
        turned = rotary.rotate(x, 5)
        assert torch.equal(turned[:, 6:], x[:, 6:])
        assert (turned[:, :6] - x[:, :6]).abs().min() > 1e-4


def test_positions_broadcast_over_batch_and_heads():
    rotary, x = KINDS[0], normal(2, 3, 7, 10)
    turned = rotary.rotate(x, torch.arange(7))
    torch.testing.assert_close(turned[1, 2, 5], rotary.rotate(x[1, 2, 5], 5))
    each = rotary.rotate(x[:, :, :1], torch.arange(7))  # one vector at seven positions
    assert each.shape == x.shape
    partial = KINDS[3].rotate(x[:, :, :1], torch.arange(7))
    assert torch.equal(partial[..., 6:], x[:, :, :1, 6:].expand(2, 3, 7, 4))


@pytest.mark.parametrize("rotary", KINDS)
def test_gradients_pass_through(rotary):
    x = normal(2, 10).requires_grad_()
    assert torch.autograd.gradcheck(lambda vectors: rotary.rotate(vectors, torch.tensor([3, -4])), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_far_positions_are_as_exact_as_near_ones(dtype):
    """Angles in float32 would be off by 0.004 at a position of 100,000."""
    rotary, x = KINDS[1], normal(5, 10)
    near, far = (rotary.rotate(x.to(dtype), position) for position in (1, 100_001))
    assert far.dtype == dtype
    tolerance = 8 * torch.finfo(dtype).eps
    torch.testing.assert_close(far.double(), rotary.rotate(x, 100_001), rtol=tolerance, atol=tolerance)
    assert (far - near).abs().max() > 0.1


# --- The SVD at an offset, and the bands


@pytest.mark.parametrize("rotary", KINDS)
def test_svd_at_offsets(rotary):
    W_Q, W_K = normal(3, 16, 10), normal(3, 16, 10, seed=1)
    offsets = torch.tensor([[0, 5], [40, -3]])
    svd = qk_svd_at_offset(W_Q, W_K, rotary, offsets)
    assert svd.U.shape == (2, 2, 3, 16, 10)
    for i in range(2):
        for j in range(2):
            U, S, V = (part[i, j] for part in svd)
            expected = W_Q @ rotary.matrix(int(offsets[i, j])).T @ W_K.mT
            torch.testing.assert_close(U @ torch.diag_embed(S) @ V.mT, expected)
    for at_zero, plain in zip(svd, qk_svd(W_Q, W_K), strict=True):
        torch.testing.assert_close(at_zero[0, 0], plain)
    assert qk_svd_at_offset(W_Q, W_K, rotary, 5).U.shape == (3, 16, 10)


@pytest.mark.parametrize("rotary", KINDS)
def test_band_energy(rotary):
    x = normal(6, 10)
    shares = band_energy(x, rotary)
    assert shares.shape == (6, rotary.bands)
    torch.testing.assert_close(shares[2, 1], x[2, rotary.planes[1]].square().sum() / x[2].square().sum())
    torch.testing.assert_close(band_energy(rotary.rotate(x, 17), rotary), shares)
    torch.testing.assert_close(band_energy(1e-200 * x, rotary), shares)
    if rotary.rotary_dim == 10:
        torch.testing.assert_close(shares.sum(-1), torch.ones(6, dtype=torch.float64))
    assert not band_energy(torch.zeros(10), rotary).any()


# --- Real layers of transformers


def log_attention(scores):
    return scores.log_softmax(-1)


@pytest.mark.parametrize("rotary_dim", [4, 8])
def test_neighbours_as_in_gpt_j(rotary_dim):
    from transformers import GPTJConfig
    from transformers.models.gptj.modeling_gptj import GPTJAttention

    torch.manual_seed(0)
    config = GPTJConfig(n_embd=24, n_head=3, rotary_dim=rotary_dim, n_positions=64, attn_implementation="eager")
    layer = GPTJAttention(config, layer_idx=0).double().eval()
    hidden = normal(1, 9, 24)
    q, k = (projection(hidden).view(1, 9, 3, 8).transpose(1, 2) for projection in (layer.q_proj, layer.k_proj))
    positions = torch.arange(20, 29)
    attention = layer(hidden, position_ids=positions[None], output_attentions=True)[1]
    rotary = Rotary.of(8, rotary_dim, pairing="neighbours")
    scores = rotary.rotate(q, positions) @ rotary.rotate(k, positions).mT / math.sqrt(8)
    torch.testing.assert_close(attention.log(), log_attention(scores), rtol=0, atol=3e-6)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_halves_as_in_gpt_neox(share):
    from transformers import GPTNeoXConfig
    from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXAttention, GPTNeoXRotaryEmbedding

    torch.manual_seed(0)
    config = GPTNeoXConfig(
        hidden_size=48, num_attention_heads=3, rotary_pct=share, max_position_embeddings=64, attn_implementation="eager"
    )
    layer = GPTNeoXAttention(config, layer_idx=0).double().eval()
    embedding = GPTNeoXRotaryEmbedding(config)
    hidden = normal(1, 9, 48)
    positions = torch.arange(20, 29)
    attention = layer(
        hidden, attention_mask=None, position_embeddings=embedding(hidden.double(), positions[None])
    )[1]
    q, k, _ = layer.query_key_value(hidden).view(1, 9, 3, 48).transpose(1, 2).chunk(3, dim=-1)
    rotary = Rotary.of(16, int(16 * share), pairing="halves")
    scores = rotary.rotate(q, positions) @ rotary.rotate(k, positions).mT / 4
    torch.testing.assert_close(attention.log(), log_attention(scores), rtol=0, atol=1e-5)


SCALED = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}


@pytest.mark.parametrize("scaled", [False, True])
def test_halves_as_in_llama_with_and_without_scaled_frequencies(scaled):
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding

    torch.manual_seed(0)
    rope = {"rope_theta": 500.0, **(SCALED | {"original_max_position_embeddings": 64} if scaled else {})}
    config = LlamaConfig(
        hidden_size=48, num_attention_heads=3, num_key_value_heads=3, max_position_embeddings=512,
        attention_bias=True, rope_parameters={"rope_type": "default", **rope}, attn_implementation="eager",
    )  # fmt: skip
    layer = LlamaAttention(config, layer_idx=0).double().eval()
    embedding = LlamaRotaryEmbedding(config)
    hidden = normal(1, 9, 48)
    positions = torch.arange(20, 29)
    attention = layer(hidden, position_embeddings=embedding(hidden, positions[None]), attention_mask=None)[1]
    q, k = (projection(hidden).view(1, 9, 3, 16).transpose(1, 2) for projection in (layer.q_proj, layer.k_proj))
    rotary = Rotary(16, 16, tuple(embedding.inv_freq.tolist()), "halves")
    scores = rotary.rotate(q, positions) @ rotary.rotate(k, positions).mT / 4
    torch.testing.assert_close(attention.log(), log_attention(scores), rtol=0, atol=1e-5)
    usual = Rotary.of(16, base=500.0)
    assert (max(abs(a - b) for a, b in zip(usual.frequencies, rotary.frequencies, strict=True)) > 1e-3) == scaled


# --- Refusals


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"d_head": 0}, ("d_head = 0",)),
        ({"d_head": 8.0}, ("d_head = 8.0",)),
        ({"d_head": 8, "rotary_dim": 3}, ("rotary_dim = 3",)),
        ({"d_head": 7}, ("rotary_dim = 7",)),
        ({"d_head": 8, "rotary_dim": 10}, ("rotary_dim = 10", "d_head = 8")),
        ({"d_head": 8, "rotary_dim": 0}, ("rotary_dim = 0",)),
        ({"d_head": 8, "base": -1.0}, ("base = -1.0",)),
        ({"d_head": 8, "base": math.nan}, ("base = nan",)),
        ({"d_head": 8, "pairing": "thirds"}, ("pairing = 'thirds'", "neighbours", "halves")),
    ],
)
def test_bad_rotations_are_refused_by_name(arguments, told):
    with refuses(ValueError, *told):
        Rotary.of(**arguments)


def test_bad_frequencies_are_refused():
    with refuses(ValueError, "3 frequencies", "rotary_dim = 8", "4 bands"):
        Rotary(8, 8, (1.0, 0.5, 0.1), "halves")
    with refuses(ValueError, "frequencies = (1.0, inf)"):
        Rotary(4, 4, (1.0, math.inf), "halves")


def test_bad_vectors_and_positions_are_refused():
    rotary = Rotary.of(8)
    with refuses(ValueError, "vectors", (3, 7), "[..., 8]"):
        rotary.rotate(torch.zeros(3, 7), 1)
    with refuses(ValueError, "vectors", "torch.int64"):
        rotary.rotate(torch.zeros(8, dtype=torch.long), 1)
    with refuses(ValueError, "positions", (4,), "vectors", (3, 8)):
        rotary.rotate(torch.zeros(3, 8), torch.arange(4))
    with refuses(ValueError, "vectors", 6, "[..., 8]"):
        band_energy(torch.zeros(6), rotary)
    with refuses(ValueError, "vectors", 6, "[..., 8]"):
        qk_svd_at_offset(torch.zeros(9, 6), torch.zeros(9, 6), rotary, 1)
