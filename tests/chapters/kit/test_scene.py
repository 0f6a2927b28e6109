"""The generic explorer: what it stores, and what it refuses."""

import json
import math

import pytest

from svf_helpers.chapters.kit.scene import FrameExplorer, Slider, rounded
from tests.html_reader import Reader
from tests.refusals import refuses

DOT = '<svg viewBox="0 0 2 1"><circle data-part="dot" r="0.2"/><image data-part="shot"/></svg>'


def explorer(render, picture=DOT, values=(0, 1, 2), readout=""):
    return FrameExplorer("A dot", [Slider("x", "place", values, values[1])], picture, render, readout=readout)


def test_images_are_stored_once_each_and_text_cannot_end_the_script():
    images = ["data:image/png;base64," + 500 * letter for letter in "AB"]
    render = lambda x: {"shot": {"href": images[x % 2]}, "say": {"text": f"</script><b>{x}"}}  # noqa: E731
    page = explorer(render, readout='<p data-part="say"></p>', values=tuple(range(10))).to_html()
    reader = Reader(page)
    assert page.count(images[0]) == 1
    assert page.count(images[1]) == 2
    (shot,) = [channel for channel in reader.channels() if channel["part"] == "shot"]
    assert [shot["table"][v] for v in shot["values"]] == [images[x % 2] for x in range(10)]


def test_what_never_changes_is_not_stored():
    page = explorer(lambda x: {"dot": {"cx": x, "cy": 0.5}}).to_html()
    assert [channel["key"] for channel in Reader(page).channels()] == ["cx"]
    assert 'cy="0.5"' in page


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: explorer(lambda x: {"line": {"x": x}}).to_html(), ("'line'", "'dot'")),
        (lambda: explorer(lambda x: {"dot": {"cx": math.nan}}).to_html(), ("'dot'", "'cx'", "nan")),
        (lambda: explorer(lambda x: {"dot": {"cx": x}} if x else {}).to_html(), ("every frame",)),
        (lambda: explorer(lambda x: {}, picture="<svg><circle></svg>"), ("picture",)),
        (lambda: explorer(lambda x: {}).frame(y=1), (["x"], ["y"])),
        (lambda: FrameExplorer("none", [], DOT, lambda: {}), ("sliders",)),
        (lambda: Slider("x", "place", (1,), 1), ("'x'", [1])),
        (lambda: Slider("x", "place", (1, 1), 1), ("'x'", [1, 1])),
        (lambda: Slider("x", "place", (1, 2), 3), ("'x'", "start", 3)),
        (lambda: Slider("x", "place", (1, 2, 3), 3, words={1: "one", 3: "three"}), ("'x'", [2])),
    ],
)
def test_broken_explorers_are_refused(make, told):
    with refuses(ValueError, *told):
        make()


def test_words_stand_for_numbers_on_the_page_and_with_a_kernel():
    slider = Slider("x", "place", (0, 2), 2, words={0: "here", 1: "half-way", 2: "there"})
    some = FrameExplorer("A dot", [slider], DOT, lambda x: {"dot": {"cx": x}})
    page = some.to_html()
    assert '"labels":[["here","there"]]' in page
    assert "<output>there</output>" in page
    control, picture = some.live().children
    assert control.options == (("here", 0), ("half-way", 1), ("there", 2))  # with a kernel, all that have words
    control.label = "half-way"
    assert 'cx="1"' in picture.value


def test_with_a_kernel_only_a_slider_with_a_step_of_its_own_goes_between_the_stops():
    """Whatever can be chosen, or typed beside a slider, has a frame; and no label is cut."""
    label = "a label that is longer than any slider in this book has it"
    seen = []
    sliders = [Slider("x", label, (0, 1, 5), 1, " m"), Slider("y", "free", (0, 1, 5), 5, live_step=0.25)]
    some = FrameExplorer("A dot", sliders, DOT, lambda x, y: seen.append((x, y)) or {"dot": {"cx": x, "cy": y}})
    stops, free, picture = some.live().children
    assert stops.options == (("0 m", 0), ("1 m", 1), ("5 m", 5))
    assert (free.min, free.max, free.step, free.readout_format) == (0, 5, 0.25, ".2f")
    free.value = 7.5  # typed: the widget keeps it between its ends
    stops.index = 2
    free.value = 3.1
    assert seen == [(1, 5), (5, 5), (5, 3.1)]
    assert 'cy="3.1"' in picture.value
    assert {control.style.description_width for control in (stops, free)} == {"initial"}


def test_rounding_is_the_same_on_every_machine():
    assert rounded(0.25 + 1e-12) == rounded(0.25 - 1e-12)
    assert json.dumps([rounded(-1e-9), rounded(3.0), rounded(2.34)]) == "[0, 3, 2.3]"
