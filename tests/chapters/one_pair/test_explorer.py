"""Explorers: their science against closed forms, their frames against their science, the page they make."""

import math
import os
import re
import shutil

import pytest
import torch

from svf_helpers.chapters.one_pair.explorer import (
    two_feature_frame,
    two_feature_frames,
    two_feature_head,
)
from tests.html_reader import Reader

# ---- the science


@pytest.mark.parametrize("angle", [5.0, 30.0, 77.7, 90.0, 120.0, 175.0])
@pytest.mark.parametrize("target", [1.0, 24.0])
def test_one_target_follows_the_closed_form(angle, target):
    """u = C^-1 f_1: its cosine with f_1 is the sine of the angle, and sigma_1 = target / sin^2."""
    head = two_feature_head(angle, target)
    sine = math.sin(math.radians(angle))
    assert head.S.tolist() == pytest.approx([target / sine**2, 0], abs=1e-9 * target / sine**2)
    assert float(head.cos_query[0]) == pytest.approx(sine, abs=1e-9)
    assert float(head.cos_key[0]) == pytest.approx(sine, abs=1e-9)
    assert float(head.U[:, 0] @ head.features[:, 1]) == pytest.approx(0, abs=1e-9)  # away from the other feature
    assert float(head.V[:, 0] @ head.features[:, 0]) == pytest.approx(0, abs=1e-9)
    assert head.told_apart
    assert head.pairs[0] == (0, 1)


@pytest.mark.parametrize(("angle", "first", "second"), [(40.0, 24.0, 6.0), (90.0, 3.0, 10.0), (140.0, 5.0, 5.0)])
def test_the_head_meets_its_targets_at_every_angle(angle, first, second):
    head = two_feature_head(angle, first, second)
    W = head.features
    assert torch.allclose(W.norm(dim=0), torch.ones(2, dtype=W.dtype))
    assert math.degrees(math.acos(float(W[:, 0] @ W[:, 1]))) == pytest.approx(angle)
    logits = W.T @ head.U @ head.S.diag() @ head.V.T @ W  # four of them: they determine the matrix
    assert torch.allclose(logits, torch.tensor([[0, first], [second, 0]], dtype=W.dtype), atol=1e-9)


def test_orthogonal_features_are_the_singular_vectors_by_rank_of_their_targets():
    head = two_feature_head(90, 6.0, 18.0)
    assert head.S.tolist() == pytest.approx([18, 6])
    assert head.pairs == ((1, 0), (0, 1))
    assert torch.allclose(head.U, torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64), atol=1e-12)
    assert torch.allclose(head.V, torch.eye(2, dtype=torch.float64), atol=1e-12)
    assert head.cos_query.tolist() == pytest.approx([1, 1])


def test_equal_targets_favour_neither_feature_and_at_ninety_degrees_no_direction():
    head = two_feature_head(70, 12.0, 12.0)
    cosine = math.cos(math.radians(70))
    assert head.S.tolist() == pytest.approx([12 / (1 - cosine), 12 / (1 + cosine)])
    with_both = (head.U.T @ head.features).abs()
    assert torch.allclose(with_both[:, 0], with_both[:, 1])
    assert head.told_apart
    assert not two_feature_head(90, 12.0, 12.0).told_apart


# ---- its frames


def test_a_frame_shows_the_numbers_of_the_head():
    frame = two_feature_frame(60, 24, 6)
    head = two_feature_head(60, 24, 6)
    for side, vectors in (("query", head.U), ("key", head.V)):
        assert frame[f"f2-{side}"] == {"transform:rotate": -60}  # SVG turns clockwise
        for k in range(2):
            turn = math.radians(-frame[f"{side}{k}"]["transform:rotate"])
            drawn = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
            assert float(drawn @ vectors[:, k]) > 1 - 1e-5
    for k in range(2):
        assert float(frame[f"value{k}"]["text"]) == pytest.approx(float(head.S[k]), abs=0.051)
        assert frame[f"bar{k}"]["height"] == pytest.approx(2 * float(head.S[k]), abs=0.051)
    said = frame["say-cosines0"]["text"]
    assert said == f"u₁ with f₁: |cos| {head.cos_query[0]:.2f}, v₁ with f₂: {head.cos_key[0]:.2f}. "


def test_a_vector_that_is_not_determined_is_not_drawn():
    seen = lambda frame: [frame[f"{side}{k}"]["opacity"] for side in ("query", "key") for k in (0, 1)]  # noqa: E731
    one, two, tie = two_feature_frame(60, 24, 0), two_feature_frame(60, 24, 6), two_feature_frame(90, 24, 24)
    assert seen(one) == [1, 0, 1, 0]
    assert seen(two) == [1, 1, 1, 1]
    assert seen(tie) == [0, 0, 0, 0]
    assert (one["ring"]["opacity"], tie["ring"]["opacity"]) == (0, 1)
    assert "too close to tell" in tie["say-note"]["text"]
    assert tie["say-cosines0"]["text"] == ""


@pytest.mark.parametrize(
    ("setting", "words"),
    [((90, 24, 6), "singular values are the targets"), ((70, 12, 12), "same angle with both"),
     ((60, 24, 0), "u₁ keeps at a right angle to f₂, and v₁ to f₁"), ((60, 0, 24), "u₁ keeps at a right angle to f₁"),
     ((60, 24, 6), "weaker one pulls"), ((15, 24, 0), "Nearly one line")],
)
def test_the_note_says_what_there_is_to_see(setting, words):
    assert words in two_feature_frame(*setting)["say-note"]["text"]


def test_a_bar_beyond_the_axis_says_so():
    frame = two_feature_frame(15, 24, 0)
    assert frame["beyond0"]["opacity"] == 1
    assert frame["bar0"]["height"] == 200
    assert frame["value0"]["text"] == "358.3"


# ---- the page


@pytest.fixture(scope="module")
def page() -> str:
    return two_feature_frames().to_html()


def test_the_page_is_small_well_formed_and_asks_nobody(page):
    reader = Reader(page)
    assert len(page.encode()) < 150_000
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert not any("src" in attributes for _, attributes in reader.tags)
    assert sum(tag == "input" for tag, _ in reader.tags) == 3


def test_two_explorers_on_a_page_share_no_id(page):
    ids = Reader(page + page).ids
    assert len(ids) == len(set(ids))


def test_without_script_the_first_frame_is_there_and_the_sliders_are_off(page):
    reader = Reader(page)
    parts = {attributes["data-part"]: attributes for _, attributes in reader.tags if "data-part" in attributes}
    frame = two_feature_frame(60, 24, 0)
    assert parts["f2-query"]["transform"] == "rotate(-60)"
    assert float(parts["bar0"]["height"]) == frame["bar0"]["height"] == 64
    assert ">32.0</text>" in page
    assert frame["say-note"]["text"] in page
    assert any(tag == "fieldset" and "disabled" in attributes for tag, attributes in reader.tags)


def test_stored_frames_equal_the_function(page):
    """Every frame, rebuilt from the columns as the script does it."""
    angles, first, second = range(15, 166, 5), (6, 12, 18, 24), (0, 6, 12, 18, 24)
    settings = [(a, t, s) for a in angles for t in first for s in second]
    channels = Reader(page).channels()
    assert all(len(channel["values"]) == len(settings) == 620 for channel in channels)
    moving = {(channel["part"], channel["key"]) for channel in channels}
    for index in range(0, 620, 7):
        frame = two_feature_frame(*settings[index])
        for channel in channels:
            value = channel["values"][index]
            value = channel["table"][value] if "table" in channel else value
            assert value == frame[channel["part"]][channel["key"]], (settings[index], channel["part"])
    start = two_feature_frame(60, 24, 0)
    last = two_feature_frame(165, 24, 18)
    changed = {(part, key) for part in start for key in start[part] if start[part][key] != last[part][key]}
    assert changed <= moving


def test_the_page_is_the_same_every_time(page):
    assert two_feature_frames().to_html() == page == two_feature_frames()._repr_html_()


def test_sliders_are_named_and_numbers_are_announced(page):
    labels = re.findall(r'<label><span>(.*?)</span><input type="range"[^>]*aria-valuetext="(.*?)"', page)
    assert [text for _, text in labels] == ["60°", "24", "0"]
    assert "angle between f₁ and f₂" in labels[0][0]
    assert 'aria-live="polite"' in page
    assert 'role="img"' in page


def test_the_script_moves_the_picture_in_a_browser_and_each_explorer_alone(page, tmp_path):
    """Keyboard and slider, from a file, with nothing behind the page; without script the first frame stays."""
    names = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not chromium:
        pytest.skip("no Chromium is installed, and CHROMIUM names none")
    playwright = pytest.importorskip("playwright.sync_api")
    file = tmp_path / "two.html"
    file.write_text(f"<!doctype html><meta charset='utf-8'><title>two</title>{page}{page}", encoding="utf8")
    turn = lambda visit: [  # noqa: E731
        arrow.get_attribute("transform") for arrow in visit.locator('[data-part="f2-query"]').all()
    ]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        visit = browser.new_page()
        problems: list[str] = []
        visit.on("pageerror", lambda error: problems.append(str(error)))
        visit.goto(file.as_uri())
        assert turn(visit) == ["rotate(-60)", "rotate(-60)"]
        sliders = visit.locator('.svf-explorer input[type="range"]')
        sliders.nth(0).focus()
        visit.keyboard.press("ArrowRight")
        sliders.nth(5).fill("3")  # the second explorer's last slider: 18
        assert turn(visit) == ["rotate(-65)", "rotate(-60)"]
        assert sliders.nth(0).get_attribute("aria-valuetext") == "65°"
        for number, setting in enumerate([(65, 24, 0), (60, 24, 18)]):
            frame = two_feature_frame(*setting)
            drawn = visit.locator(".svf-explorer").nth(number)
            assert drawn.locator('[data-part="say-note"]').inner_text() == frame["say-note"]["text"]
            assert drawn.locator('[data-part="bar1"]').get_attribute("height") == str(frame["bar1"]["height"])
        assert problems == []
        assert not visit.locator(".svf-still").first.is_visible()
        still = browser.new_context(java_script_enabled=False).new_page()
        still.goto(file.as_uri())
        assert still.locator(".svf-still").first.is_visible()
        assert still.locator("input").first.is_disabled()
        browser.close()


# ---- with a kernel


def test_moving_a_live_slider_redraws_the_picture():
    box = two_feature_frames().live()
    angle, target_12, target_21, picture = box.children
    before = picture.value
    Reader(before)
    assert "rotate(-60)" in before
    angle.value = 133
    assert "rotate(-133)" in picture.value
    assert two_feature_frame(133, 24, 0)["say-note"]["text"] in picture.value
    middle = picture.value
    target_21.value = 7.5
    assert picture.value != middle
    assert f"{float(two_feature_head(133, 24, 7.5).S[1]):.1f}" in picture.value
    assert (angle.min, angle.max, angle.step, target_12.value) == (15, 165, 1, 24)


def test_live_sliders_are_models_that_show_their_values_in_full(capsys):
    """Displays the explorer, and reads the state that a browser would get: its formats have to be valid in d3 too."""
    from IPython.display import display

    box = two_feature_frames().live()
    display(box)
    assert "FloatSlider(" in capsys.readouterr().out
    sliders = box.children[:3]
    shown = []
    for slider, stops in zip(sliders, ((15, 60, 165), (6, 7.5, 24), (0, 0.5, 24)), strict=True):
        state = slider.get_state()
        assert state["_model_name"] == "FloatSliderModel"
        pattern = re.fullmatch(r"\.\d+f", state["readout_format"])
        assert pattern, state["readout_format"]
        for value in stops:
            slider.value = value
            assert slider.value == value
            shown.append(format(value, state["readout_format"]))
    assert shown == ["15", "60", "165", "6.0", "7.5", "24.0", "0.0", "0.5", "24.0"]
