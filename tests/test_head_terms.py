"""The check of the sum, heads named twice, and what is never built."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from svf_helpers.language_models import head_bases, head_moments, head_terms_batch, load_model
from svf_helpers.language_models import terms as terms_module
from svf_helpers.language_models.frames import Frames, frames_of_weights, svd_between
from svf_helpers.language_models.heads import LayerHeads
from tests.tiny_models import save, some_tokens


@pytest.mark.parametrize(
    ("off", "largest", "fine"),
    [
        (3.9e-4, 0.0, True),  # sizes 4: a ten-thousandth of them is allowed
        (4.1e-4, 0.0, False),
        (float("nan"), 0.0, False),
        (2.0e-3, 1e3, True),  # float32 scores of 1000 are themselves known to 2e-3 only
        (3.0e-3, 1e3, False),
    ],
)
def test_the_sum_is_held_to_a_ten_thousandth_of_the_sizes(off, largest, fine):
    terms = torch.tensor([[[[3.0, -1.0]]]], dtype=torch.float64)
    relative, largest = (torch.full((1, 1, 1), value, dtype=torch.float64) for value in (2 + off, largest))
    call = lambda: terms_module._check_sum(  # noqa: E731
        terms, relative, largest, 0, [0], torch.tensor([[1]]), torch.tensor([[1]])
    )
    if fine:
        call()
    else:
        with pytest.raises(ArithmeticError, match="terms sum to 2, "):
            call()


def test_a_head_named_twice_is_there_twice(tmp_path):
    model = load_model(save("gpt2", tmp_path), device="cpu")
    found = head_terms_batch(model, some_tokens(2, 8), 7, 2, heads=[(0, 1), (1, 2), (0, 1)])
    assert torch.equal(found.terms[:, 0], found.terms[:, 2])
    torch.testing.assert_close(found.terms.sum(-1), found.relative, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", ["plain", "lengths from 1 to 1e-8", "two columns 1e-3 apart", "1e-6 apart"])
def test_frames_are_those_of_the_qr_whatever_the_condition(case):
    W = torch.randn(3, 40, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if case.startswith("lengths"):
        W = W * torch.logspace(0, -8, 8, dtype=torch.float64)
    elif "apart" in case:
        W[1, :, 1] = W[1, :, 0] + (1e-3 if "1e-3" in case else 1e-6) * W[1, :, 1]
    found = frames_of_weights(LayerHeads(W, W.flip(0), None, 1.0))
    for F, of in zip(found, (W, W.flip(0)), strict=True):
        R = torch.linalg.qr(of, mode="r").R
        R = R * R.diagonal(dim1=-2, dim2=-1).sign()[..., None]
        F = F * F.diagonal(dim1=-2, dim2=-1).sign()[..., None]
        torch.testing.assert_close(F, R, rtol=1e-6, atol=1e-12)
        U = of @ torch.linalg.inv(F)
        torch.testing.assert_close(U.mT @ U, torch.eye(8).double().expand(3, 8, 8), rtol=0, atol=1e-7)


def test_signs_do_not_depend_on_the_frames():
    """A flipped pair of singular vectors changes no term, but it would change which null a seed draws."""
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(3, 6, 6, generator=generator, dtype=torch.float64).triu() for _ in range(2))
    flips = [torch.where(torch.rand(3, 6, 1, generator=generator) < 0.5, -1.0, 1.0).double() for _ in range(2)]
    found = svd_between(Frames(query, key)), svd_between(Frames(flips[0] * query, flips[1] * key))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


class Squares(TorchDispatchMode):
    """Notes operations that compute a tensor of the model's width squared; views of what is there do not count."""

    VIEWS = ("view", "detach", "alias", "t.default", "slice", "select", "transpose", "permute", "as_strided",
             "_to_copy", "clone")

    def __init__(self, width: int):
        super().__init__()
        self.width, self.built = width, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not any(view in str(func) for view in self.VIEWS):
            parts = out if isinstance(out, (tuple, list)) else (out,)
            self.built += [str(func) for part in parts
                           if isinstance(part, torch.Tensor) and part.shape[-2:] == (self.width, self.width)]
        return out


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_no_matrix_of_the_models_width_squared_is_built(basis, tmp_path):
    model = load_model(save("neox", tmp_path), device="cpu")
    moments = head_moments(model, some_tokens(20, 20))
    with Squares(model.cfg.d_model) as watch:
        head_bases(model, basis, None, moments)
    assert watch.built == []
    with Squares(model.cfg.d_model) as watch:  # the watch does see one
        model.blocks[0].attn.W_Q[0] @ model.blocks[0].attn.W_K[0].mT
    assert watch.built
