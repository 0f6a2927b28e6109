"""Old names lead to the new ones, and say so once."""

import importlib
import warnings

import pytest
import torch

from svf_helpers import deprecation
from svf_helpers.language_models.circuits import PAIRS, CircuitTable
from tests.refusals import refuses

OLD_NAMES = {
    ("svf_helpers.language_models", "without_terms"): "ablate_terms",
    ("svf_helpers.language_models.ablation_effects", "effect_without"): "ablation_effect",
    ("svf_helpers.language_models.ablation_effects", "choose_terms"): "select_terms",
    ("svf_helpers.language_models.ablation_effects", "Effect"): "AblationEffect",
    ("svf_helpers.language_models.random_basis", "random_split"): "random_rank_one_basis",
    ("svf_helpers.chapters.known_features.erasure", "without_feature"): "project_out",
}


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(deprecation, "_SAID", set())


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items(), ids=lambda names: names if isinstance(names, str) else "")
def test_an_old_name_is_the_new_one_and_warns_once(old, new):
    module, name = importlib.import_module(old[0]), old[1]
    with pytest.warns(DeprecationWarning, match=rf"\b{name}\b.*\b{new}\b"):
        found = getattr(module, name)
    assert found is getattr(module, new)
    assert name not in module.__all__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(module, name) is found


def test_the_warning_points_at_the_line_that_uses_the_old_name():
    with pytest.warns(DeprecationWarning, match="random_rank_one_basis") as told:
        from svf_helpers.language_models.random_basis import random_split  # noqa: F401
    assert told[0].filename == __file__


def test_a_name_that_never_was_is_an_ordinary_error():
    from svf_helpers import language_models

    with refuses(AttributeError, "svf_helpers.language_models", "'with_terms'"):
        _ = language_models.with_terms


def test_columns_of_the_circuit_table_under_their_old_names():
    one, two = torch.ones(1, 1), torch.full((1, 1), 2.0)
    table = CircuitTable(torch.zeros(1, 1, len(PAIRS)), 0 * one, one, two, 4.0, 1.0)
    with pytest.warns(DeprecationWarning, match="total.*ablation_effect"):
        assert table.total is table.ablation_effect
    with pytest.warns(DeprecationWarning, match="surprise.*log_probability_drop"):
        assert table.surprise is table.log_probability_drop
