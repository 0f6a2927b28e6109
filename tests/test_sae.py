"""Decoders of sparse autoencoders: how they are measured, read one at a time, refused, and trained in place."""

import gc
import json
import subprocess
import sys
import weakref

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants, errors, utils
from safetensors.torch import save_file

from svf_helpers import sae
from svf_helpers.features import anisotropy, isotropic_dictionary, unit
from svf_helpers.sae import anisotropy_by_layer, decoder_anisotropy, published_decoders, read_decoder, train_sae
from tests.refusals import refuses


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def decoder(layer=0, n=24, d=6):
    return unit(normal(n, d, seed=layer).mT).mT.contiguous()


def write_layer(folder, layer, **tensors):
    """One layer's file as the published repository keeps it."""
    place = folder / f"blocks.{layer}.hook_resid_pre"
    place.mkdir(parents=True)
    W_dec = tensors.pop("W_dec", decoder(layer))
    n, d = W_dec.shape
    rest = {"W_enc": W_dec.mT.contiguous(), "b_dec": torch.zeros(d), "b_enc": torch.zeros(n)}
    save_file({"W_dec": W_dec, **rest, **tensors}, place / "sae_weights.safetensors")
    (place / "cfg.json").write_text(json.dumps({"d_in": d, "d_sae": n}))


@pytest.fixture
def layers(tmp_path):
    for layer in range(12):
        write_layer(tmp_path, layer)
    return tmp_path


# ---- the measure

def test_golden_values():
    assert decoder_anisotropy(torch.eye(5)).norm == pytest.approx(0, abs=1e-15)
    turn = torch.linalg.qr(normal(5, 5).double()).Q
    assert decoder_anisotropy(torch.cat([turn, -turn])).norm == pytest.approx(0, abs=1e-14)
    line = decoder_anisotropy(torch.tensor([[3.0, 4.0, 0.0]]) * torch.tensor([[1.0], [-2.0], [0.1], [7.0]]))
    assert line.norm == pytest.approx(2)  # d - 1
    torch.testing.assert_close(line.direction.abs(), torch.tensor([0.6, 0.8, 0.0], dtype=torch.float64))
    assert (line.n, line.d) == (4, 3)
    # rows e1, e1, e1, e2: C = diag(3, 1), E = 2/4 C - I = diag(1/2, -1/2)
    found = decoder_anisotropy(torch.eye(2)[[0, 0, 0, 1]])
    assert found.norm == pytest.approx(0.5)
    torch.testing.assert_close(found.eigenvalues, torch.tensor([0.5, -0.5], dtype=torch.float64))
    # nine rows on the axes, none on the third: the direction that is avoided decides
    avoided = decoder_anisotropy(torch.eye(3)[[0, 1]])
    assert avoided.norm == pytest.approx(1)
    torch.testing.assert_close(avoided.direction.abs(), torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))


def test_agrees_with_the_dense_definition_and_with_the_dictionary_s_measure():
    W = normal(5000, 16, seed=3)  # more rows than are taken at once
    rows = unit(W.double().mT).mT
    E = 16 / 5000 * rows.mT @ rows - torch.eye(16, dtype=torch.float64)
    found = decoder_anisotropy(W)
    assert found.norm == pytest.approx(float(torch.linalg.matrix_norm(E, 2)), rel=1e-12)
    assert found.norm == pytest.approx(anisotropy(rows.mT), rel=1e-10)
    torch.testing.assert_close(found.eigenvalues.sum(), torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(E @ found.direction, found.eigenvalues[0] * found.direction)


def test_lengths_of_rows_do_not_matter():
    W = normal(40, 6)
    lengths = 10 ** normal(40, 1, seed=1)
    assert decoder_anisotropy(W * lengths).norm == pytest.approx(decoder_anisotropy(W).norm, rel=1e-5)
    assert decoder_anisotropy(1e-30 * W).norm == pytest.approx(decoder_anisotropy(W).norm, rel=1e-5)
    assert decoder_anisotropy(-W.half()).norm == pytest.approx(decoder_anisotropy(W).norm, rel=1e-2)


@pytest.mark.parametrize(
    ("W", "told"),
    [
        (torch.ones(3), ("W_dec", (3,))),
        (torch.ones(2, 3, 4), ("W_dec", (2, 3, 4))),
        (torch.ones(0, 3), ("W_dec", (0, 3))),
        (torch.ones(3, 3, dtype=torch.int64), ("W_dec", "torch.int64")),
        (torch.tensor([[1.0, float("nan")]]), ("W_dec", "finite")),
        (torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), ("W_dec", "2 rows", "row 1")),
    ],
)
def test_decoders_that_cannot_be_measured_are_refused(W, told):
    with refuses(ValueError, *told):
        decoder_anisotropy(W)


# ---- reading

@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_every_floating_dtype_is_read(tmp_path, dtype):
    W = decoder().to(dtype)
    save_file({"W_dec": W, "other": torch.ones(3)}, tmp_path / "a.safetensors")
    found = read_decoder(tmp_path / "a.safetensors")
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(found, W.to(found.dtype))
    assert read_decoder(str(tmp_path / "a.safetensors")).shape == (24, 6)


def test_other_keys_and_the_other_orientation(tmp_path):
    W = decoder()
    save_file({"decoder.weight": W.mT.contiguous()}, tmp_path / "a.safetensors")
    assert torch.equal(read_decoder(tmp_path / "a.safetensors", "decoder.weight", transposed=True), W)
    with refuses(ValueError, (6, 24), "6 features", "24 dimensions", "transposed=True"):
        read_decoder(tmp_path / "a.safetensors", "decoder.weight")


def test_files_that_hold_no_decoder_are_refused_by_name(tmp_path):
    broken = decoder()
    broken[3, 2] = torch.inf
    dead = decoder()
    dead[7] = 0
    tensors = {
        "flat": torch.ones(6),
        "deep": torch.ones(2, 24, 6),
        "whole": torch.ones(24, 6, dtype=torch.int32),
        "wide": torch.ones(6, 24),
        "broken": broken,
        "dead": dead,
    }
    path = tmp_path / "all.safetensors"
    save_file(tensors, path)
    for key, told in {
        "W_dec": ("'W_dec'", *sorted(tensors)),
        "flat": ((6,),),
        "deep": ((2, 24, 6),),
        "whole": ("I32", "F64", "F32", "F16", "BF16"),
        "wide": ((6, 24), "6 features", "24 dimensions"),
        "broken": ("finite",),
        "dead": ("1 rows", "row 7"),
    }.items():
        with refuses(ValueError, "all.safetensors", *told):
            read_decoder(path, key)
    path.write_bytes(path.read_bytes()[:200])
    with refuses(ValueError, path):
        read_decoder(path)
    with refuses(FileNotFoundError, tmp_path / "nowhere.safetensors"):
        read_decoder(tmp_path / "nowhere.safetensors")
    with refuses(FileNotFoundError, tmp_path, "folder"):
        read_decoder(tmp_path)


# ---- published decoders

def test_twelve_layers_in_order(layers):
    found = list(published_decoders(local=layers))
    assert [layer for layer, _ in found] == list(range(12))
    assert all(torch.equal(W, decoder(layer)) for layer, W in found)
    norms = anisotropy_by_layer(published_decoders(local=str(layers), layers=[5, 2]))
    assert list(norms) == [5, 2]
    assert norms[2].norm == decoder_anisotropy(decoder(2)).norm
    assert norms[2].norm != norms[5].norm


def test_one_layer_is_read_when_asked_for_and_one_is_in_memory(layers, monkeypatch):
    read, alive, most = [], weakref.WeakSet(), []
    honest = sae.read_decoder

    def spy(path, key):
        gc.collect()
        most.append(len(alive))
        W = honest(path, key)
        read.append(path.parent.name)
        alive.add(W)
        return W

    monkeypatch.setattr(sae, "read_decoder", spy)
    decoders = published_decoders(local=layers)
    assert read == []
    next(decoders)
    assert read == ["blocks.0.hook_resid_pre"]
    del decoders
    read.clear(), most.clear()
    assert len(anisotropy_by_layer(published_decoders(local=layers))) == 12
    assert len(read) == 12
    assert most == [0] * 12  # whenever one is read, none of the earlier ones is left


def test_only_the_decoder_is_loaded(layers, monkeypatch):
    import safetensors

    loaded, honest = [], safetensors.safe_open

    class Spy:
        def __init__(self, *args, **options):
            self.manager = honest(*args, **options)

        def __enter__(self):
            self.file = self.manager.__enter__()
            return self

        def __exit__(self, *error):
            return self.manager.__exit__(*error)

        def get_tensor(self, key):
            loaded.append(key)
            return self.file.get_tensor(key)

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr(safetensors, "safe_open", Spy)
    next(published_decoders(local=layers))
    assert loaded == ["W_dec"]


def test_missing_layers_are_known_before_the_first_is_read(layers, monkeypatch):
    monkeypatch.setattr(sae, "read_decoder", lambda *_: pytest.fail("read too early"))
    with refuses(FileNotFoundError, "1 of 13", "blocks.12.hook_resid_pre/sae_weights"):
        published_decoders(local=layers, layers=range(13))
    with refuses(FileNotFoundError, layers / "nowhere", "12 of 12"):
        published_decoders(local=layers / "nowhere")
    for bad in ([-1], [1.0], [True]):
        with refuses(ValueError, "layers", bad):
            published_decoders(local=layers, layers=bad)
    with refuses(ValueError, "one.safetensors", "{layer}"):
        published_decoders(local=layers, layout="one.safetensors")


def test_a_wrong_layer_among_right_ones_is_named(tmp_path):
    write_layer(tmp_path, 0)
    write_layer(tmp_path, 1, W_dec=torch.ones(24, 6, dtype=torch.int64))
    decoders = published_decoders(local=tmp_path, layers=[0, 1])
    next(decoders)
    with refuses(ValueError, "blocks.1.hook_resid_pre", "I64"):
        next(decoders)
    with refuses(ValueError, "'decoder'", "W_dec", "W_enc", "b_dec", "b_enc"):
        next(published_decoders(local=tmp_path, layers=[0], key="decoder"))


def test_files_in_the_hub_s_cache_need_no_network(layers, monkeypatch):
    asked = []

    def cached(repo, name, local_files_only=False):
        asked.append((repo, local_files_only))
        return str(layers / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cached)
    assert len(anisotropy_by_layer(published_decoders())) == 12
    assert asked == [("jbloom/GPT2-Small-SAEs-Reformatted", True)] * 12


def test_offline_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    decoders = published_decoders()  # asks for nothing yet
    with refuses(ConnectionError, "blocks.0", "HF_HUB_OFFLINE", "local="):
        next(decoders)
    with refuses(FileNotFoundError, "blocks.0", "download=True"):
        next(published_decoders(download=False))
    with refuses(ValueError, "not a/name/at all", "'owner/name'"):
        next(published_decoders("not a/name/at all"))


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (errors.RepositoryNotFoundError, ValueError, ("jbloom", "huggingface.co")),
        (errors.EntryNotFoundError, FileNotFoundError, ("jbloom", "blocks.0")),
        (errors.LocalEntryNotFoundError, ConnectionError, ("jbloom", "blocks.0", "LocalEntryNotFoundError")),
        (TimeoutError, ConnectionError, ("jbloom", "blocks.0", "TimeoutError")),
    ],
)
def test_each_failure_of_the_hub_is_told_in_plain_words(monkeypatch, failure, kind, told):
    class Session:
        def head(self, *_, **__):
            return None

    def fail(repo, name, local_files_only=False):
        raised = errors.LocalEntryNotFoundError if local_files_only else failure
        raise raised.__new__(raised)

    monkeypatch.setattr(utils, "get_session", Session)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with refuses(kind, *told):
        next(published_decoders())


def test_the_module_needs_neither_library_until_files_are_read(tmp_path):
    code = (
        "import sys; sys.modules['safetensors'] = sys.modules['huggingface_hub'] = None\n"
        "import torch\nfrom svf_helpers import sae\nassert sae.decoder_anisotropy(torch.eye(2)).norm == 0\n"
        "for call in (lambda: sae.published_decoders(), lambda: sae.read_decoder(sys.argv[1])):\n"
        "    try:\n        call()\n    except ModuleNotFoundError as error:\n        print(error)\n"
    )
    path = tmp_path / "a.safetensors"
    save_file({"W_dec": decoder()}, path)
    told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    for missing, line in zip(("huggingface_hub", "safetensors"), told.splitlines(), strict=True):
        assert missing in line
        assert "pip install 'svf-helpers[models]'" in line


# ---- training

def toy_tokens(W, p, count=4096, seed=0):
    g = torch.Generator().manual_seed(seed)
    n = W.shape[1]
    strengths = (torch.rand(count, n, generator=g) < p) * torch.rand(count, n, generator=g)
    return strengths, strengths @ W.float().mT


@pytest.mark.parametrize("size", [1.0, 50.0])
def test_an_orthogonal_dictionary_is_recovered_at_any_size_of_tokens(size):
    turn = torch.linalg.qr(normal(10, 10, seed=4)).Q
    strengths, tokens = toy_tokens(turn, 0.1)
    found = train_sae(size * (tokens + 3), 10, steps=1500, seed=1)
    cosines = found.W_dec @ turn
    assert cosines.amax(0).min() > 0.99
    assert sorted(cosines.argmax(0).tolist()) == list(range(10))
    torch.testing.assert_close(found.W_dec.norm(dim=1), torch.ones(10))
    assert found.error < 0.02
    assert found.L0 == pytest.approx(float((strengths > 0).float().sum(1).mean()), abs=0.3)
    assert found.L0 == pytest.approx(float(found.active.sum()))
    assert decoder_anisotropy(found.W_dec).norm < 0.05
    # what it says of itself holds on the tokens as they were given
    t = size * (tokens + 3)
    codes = torch.relu((t - found.b_dec) @ found.W_enc + found.b_enc)
    missed = (t - codes @ found.W_dec - found.b_dec).square().sum() / (t - t.mean(0)).square().sum()
    assert float(missed) == pytest.approx(float(found.error), rel=1e-3)
    torch.testing.assert_close((codes > 0).float().mean(0), found.active, atol=1e-3, rtol=0)


def test_more_features_than_dimensions():
    W = isotropic_dictionary()
    found = train_sae(toy_tokens(W, 0.05)[1], 20, steps=1500)
    assert found.W_dec.shape == (20, 10)
    best = (found.W_dec @ unit(W.float()))[:, :8].amax(0)
    assert (best > 0.95).sum() >= 7


def test_seeds_train_alike_alone_and_together():
    tokens = toy_tokens(torch.eye(6), 0.2, count=500)[1]
    alone = train_sae(tokens, 8, steps=60, seed=5)
    again = train_sae(tokens, 8, steps=60, seed=5)
    together = train_sae(tokens, 8, steps=60, seed=[4, 5])
    assert torch.equal(alone.W_dec, again.W_dec)
    assert together.W_dec.shape == (2, 8, 6)
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "error", "L0", "active"):
        torch.testing.assert_close(getattr(together, name)[1], getattr(alone, name), atol=1e-4, rtol=1e-3)
    assert not torch.allclose(together.W_dec[0], together.W_dec[1], atol=0.1)


def test_the_penalty_makes_codes_sparser():
    tokens = toy_tokens(torch.eye(6), 0.3, count=1000)[1]
    loose, tight = (train_sae(tokens, 12, steps=300, l1=l1) for l1 in (0.0, 1.0))
    assert tight.L0 < 0.7 * loose.L0
    assert tight.error > loose.error


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tokens": torch.ones(5)}, ("tokens", (5,))),
        ({"tokens": torch.ones(5, 2, dtype=torch.long)}, ("tokens", "torch.int64")),
        ({"tokens": torch.full((5, 2), torch.nan)}, ("tokens", "finite")),
        ({"tokens": torch.ones(5, 2)}, ("5 tokens", "same")),
        ({"tokens": torch.ones(0, 2)}, ("0 tokens",)),
        ({"n_features": 0}, ("n_features = 0",)),
        ({"steps": 1.5}, ("steps = 1.5",)),
        ({"batch": True}, ("batch = True",)),
        ({"l1": -1.0}, ("l1 = -1.0",)),
        ({"lr": 0.0}, ("lr = 0.0",)),
        ({"seed": []}, ("seed",)),
        ({"device": "toaster"}, ("device = 'toaster'",)),
    ],
)
def test_settings_that_cannot_train_are_refused(options, told):
    settings = {"tokens": normal(5, 2), "n_features": 3, "steps": 1} | options
    with refuses(ValueError, *told):
        train_sae(**settings)
