"""One choice of device for everything that computes; None follows the tensors."""

import pytest
import torch

from svf_helpers import features, theory
from svf_helpers.device import choose_device, on_device
from svf_helpers.qk import qk_svd, whitened_qk_svd
from svf_helpers.rope import Rotary, qk_svd_at_offset
from svf_helpers.toy import ToyConfig, sweep, train
from svf_helpers.toy.planted import free_contexts, planted_contexts, strength_moments
from tests.refusals import refuses

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
EYE, TOY = torch.eye(4), ToyConfig(n=4, d=4, r=4, keys=16, pairs={(0, 1): 9.0})

COMPUTES = {
    "qk_svd": lambda device: qk_svd(EYE, EYE, device=device).U,
    "whitened_qk_svd": lambda device: whitened_qk_svd(EYE, EYE, EYE, EYE, device=device).U,
    "qk_svd_at_offset": lambda device: qk_svd_at_offset(EYE, EYE, Rotary.of(4), 1, device=device).U,
    "Rotary.matrix": lambda device: Rotary.of(4).matrix(1, device=device),
    "isotropic_dictionary": lambda device: features.isotropic_dictionary(device=device),
    "worst_dictionary": lambda device: theory.worst_dictionary(4.0, 3, device=device)[0],
    "train": lambda device: train(TOY, 1, device=device).W,
    "sweep": lambda device: sweep([TOY], 1, device=device)[0].W,
    "planted_contexts": lambda device: planted_contexts(TOY, [0], 2, device=device).keys,
    "free_contexts": lambda device: free_contexts(TOY, 2, device=device).query,
    "strength_moments": lambda device: strength_moments(TOY, device=device)[0],
}


@pytest.mark.parametrize("name", COMPUTES)
def test_devices_that_are_not_there_are_refused_by_name(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with refuses(ValueError, "device = 'cuda'", "GPU", "cpu", "auto"):
        COMPUTES[name]("cuda")
    with refuses(ValueError, "device = 'gpu'", "auto", "cpu", "cuda"):
        COMPUTES[name]("gpu")
    assert COMPUTES[name]("auto").device.type == "cpu"


@GPU
@pytest.mark.parametrize("name", COMPUTES)
def test_results_are_where_they_are_wanted(name):
    assert [COMPUTES[name](device).device.type for device in ("cpu", "cuda", "auto")] == ["cpu", "cuda", "cuda"]


def test_none_leaves_tensors_where_they_lie():
    there = torch.ones(2, device="meta")
    assert on_device(None, there, EYE) == (there, EYE)
    assert [tensor.device.type for tensor in on_device("cpu", EYE)] == ["cpu"]


def test_a_gpu_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with refuses(ValueError, "device = 'cuda:2'", "cuda:0", "cuda:1"):
        choose_device("cuda:2")
