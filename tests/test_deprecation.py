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
    ("svf_helpers.language_models.removed_terms", "without_terms"): "svf_helpers.language_models.ablation.ablate_terms",
    ("svf_helpers.language_models.removal", "effect_without"):
        "svf_helpers.language_models.ablation_effects.ablation_effect",
    ("svf_helpers.language_models.removal", "choose_terms"):
        "svf_helpers.language_models.ablation_effects.select_terms",
    ("svf_helpers.language_models.removal", "Effect"): "svf_helpers.language_models.ablation_effects.AblationEffect",
    ("svf_helpers.language_models.random_split", "random_split"):
        "svf_helpers.language_models.random_basis.random_rank_one_basis",
    ("svf_helpers.language_models.random_split", "random_rotations"): "svf_helpers.rotations.random_rotations",
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
    home, _, new_name = new.rpartition(".")
    assert found is getattr(importlib.import_module(home or old[0]), new_name)
    assert name not in getattr(module, "__all__", ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert getattr(module, name) is found


def test_the_warning_points_at_the_line_that_uses_the_old_name():
    with pytest.warns(DeprecationWarning, match="random_rank_one_basis") as told:
        from svf_helpers.language_models.random_basis import random_split  # noqa: F401
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("from svf_helpers.language_models import without_terms", "language_models.without_terms"),
        ("from svf_helpers.language_models.removed_terms import without_terms", "removed_terms.without_terms"),
        ("from svf_helpers.language_models.removal import effect_without", "removal.effect_without"),
        ("from svf_helpers.language_models.random_split import random_split", "random_split.random_split"),
        ("import svf_helpers.language_models.random_split as old; old.random_split", "random_split.random_split"),
    ],
)
def test_an_old_import_warns_once_and_points_at_the_importing_file(line, told):
    code = compile(f"{line}\n{line}", "my_script.py", "exec")
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        exec(code, {"__name__": "__main__"})
    assert [(warning.filename, warning.category) for warning in found] == [("my_script.py", DeprecationWarning)]
    assert told in str(found[0].message)


def test_a_name_that_never_was_is_an_ordinary_error():
    from svf_helpers import language_models

    with refuses(AttributeError, "svf_helpers.language_models", "'with_terms'"):
        _ = language_models.with_terms
    from svf_helpers.language_models import removal

    with refuses(AttributeError, "svf_helpers.language_models.removal", "'never'"):
        _ = removal.never


def test_columns_of_the_circuit_table_under_their_old_names():
    one, two = torch.ones(1, 1), torch.full((1, 1), 2.0)
    table = CircuitTable(torch.zeros(1, 1, len(PAIRS)), 0 * one, one, two, 4.0, 1.0)
    with pytest.warns(DeprecationWarning, match="total.*ablation_effect"):
        assert table.total is table.ablation_effect
    with pytest.warns(DeprecationWarning, match="surprise.*log_probability_drop"):
        assert table.surprise is table.log_probability_drop
