"""Explorers: a picture with sliders that answers in Jupyter, in Colab, and on a published page without any kernel.

A picture is a piece of SVG (and HTML) whose moving elements carry a name, ``data-part="u1"``. A *frame* says what those
elements look like at one setting of the sliders::

    {"u1": {"transform:rotate": 30.0, "opacity": 1}, "answer": {"text": "30 degrees"}}

Keys are attributes (``x2``, ``href``, ...), ``text`` for the content, or ``transform:rotate`` and its like for the
argument of one transformation. :class:`FrameExplorer` computes all frames on a grid beforehand and stores them as
columns of numbers, which a few lines of JavaScript put into the picture; :meth:`FrameExplorer.live` computes them as
sliders move.
The output holds no ids, so any number of explorers can share a page, and it asks no other host for anything.
"""

import html
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

Frame = dict[str, Mapping[str, float | str]]


@dataclass(frozen=True)
class Slider:
    """One slider: ``name`` is the argument of ``render``, ``values`` the stops on the page, ``start`` one of them.

    With a kernel the slider has the same stops, unless there is more to choose from: with a ``live_step`` every value
    between the first and the last can be chosen, in such steps or typed. ``words`` says what to show in place of each
    number; a live slider then has all values that have words. Raises ``ValueError`` unless there are at least two
    rising values, each with its word where there are any.

    Example:
        >>> angle = Slider("angle", "angle between f₁ and f₂", (30, 60, 90), 60, "°", live_step=1)
        >>> angle.text(angle.start)
        '60°'
        >>> Slider("pair", "query and key", (1, 2), 1, words={1: "END→S2", 2: "END→IO"}).text(2)
        'END→IO'
    """

    name: str
    label: str
    values: Sequence[float]
    start: float
    unit: str = ""
    live_step: float | None = None
    words: Mapping[float, str] | None = None

    def __post_init__(self) -> None:
        values = list(self.values)
        if len(values) < 2 or any(b <= a for a, b in itertools.pairwise(values)):
            raise ValueError(f"slider {self.name!r}: at least two rising values are needed, got {values}")
        if self.start not in values:
            raise ValueError(f"slider {self.name!r}: start must be one of its values, got {self.start}")
        if self.words is not None and not set(values) <= set(self.words):
            raise ValueError(f"slider {self.name!r}: no words for {sorted(set(values) - set(self.words))}")

    def text(self, value: float) -> str:
        """A value with its unit, or the words for it, as the reader sees it."""
        return f"{value:g}{self.unit}" if self.words is None else self.words[value]


class FrameExplorer:
    """A picture with sliders. A notebook cell that ends in one shows it, with or without a kernel behind the page.

    Args:
        title: what the picture is, read out by screen readers.
        sliders: one or more; the frames are the product of their values.
        picture: well-formed markup with the moving elements named.
        render: a function of the sliders' values, passed by name, that returns a :data:`Frame`.
        readout: markup below the picture that states the numbers in words; it is announced when it changes.

    Raises:
        ValueError: for markup that is not well formed, and, when frames are made, for parts that the picture does not
            have, numbers that are not finite, or frames that do not all set the same attributes.

    Example:
        >>> explorer = FrameExplorer("A dot", [Slider("x", "place", (0, 1, 2), 1)],
        ...     '<svg viewBox="0 0 2 1"><circle data-part="dot" r="0.2"/></svg>', lambda x: {"dot": {"cx": x}})
        >>> explorer
        <FrameExplorer 'A dot', 3 frames>
        >>> explorer.frame(x=2)
        {'dot': {'cx': 2}}
    """

    def __init__(self, title: str, sliders: Sequence[Slider], picture: str, render: Callable[..., Frame], *,
                 readout: str = "") -> None:
        self.title, self.sliders, self._render = title, tuple(sliders), render
        if not self.sliders or len({s.name for s in self.sliders}) != len(self.sliders):
            raise ValueError("sliders: one or more with different names are needed")
        self._markup = (f'<div><p class="svf-wide" aria-hidden="true">{_WIDE}</p>'
                        f'<div class="svf-picture" role="img" aria-label="{html.escape(title)}">{picture}</div>'
                        f'<div class="svf-readout" aria-live="polite" aria-atomic="true">{readout}</div></div>')
        try:
            tree = ElementTree.fromstring(self._markup)
        except ElementTree.ParseError as error:
            raise ValueError(f"picture and readout must be well-formed markup: {error}") from error
        self._parts = {part for element in tree.iter() if (part := element.get("data-part")) is not None}

    def frame(self, **values: float) -> Frame:
        """The frame at any values of the sliders, checked: its parts exist, its numbers are finite."""
        names = [slider.name for slider in self.sliders]
        if sorted(values) != sorted(names):
            raise ValueError(f"one value for each of the sliders {names} is needed, got {sorted(values)}")
        frame = self._render(**values)
        for part, changes in frame.items():
            if part not in self._parts:
                raise ValueError(f"the picture has no part {part!r}; it has {sorted(self._parts)}")
            for key, value in changes.items():
                if not isinstance(value, str) and not math.isfinite(value):
                    raise ValueError(f"part {part!r}, {key!r} at {values}: {value} is not a finite number")
        return frame

    def frame_html(self, **values: float) -> str:
        """Picture and readout at these values as HTML, without sliders and without any script."""
        tree = ElementTree.fromstring(self._markup)
        frame = self.frame(**values)
        for element in tree.iter():
            for key, value in frame.get(element.get("data-part", ""), {}).items():
                if key == "text":
                    element.text = str(value)
                elif ":" in key:
                    attribute, function = key.split(":")
                    element.set(attribute, f"{function}({value})")
                else:
                    element.set(key, str(value))
        return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)

    def to_html(self) -> str:
        """The explorer for a page without a kernel: starting frame, sliders, all frames as numbers, a script."""
        start = self.frame_html(**{slider.name: slider.start for slider in self.sliders})
        data = json.dumps(self._data(), separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
        rows = "".join(
            f'<label><span>{html.escape(s.label)}</span><input type="range" min="0" max="{len(s.values) - 1}" step="1" '
            f'value="{list(s.values).index(s.start)}" aria-valuetext="{html.escape(s.text(s.start))}" '
            f'autocomplete="off"><output>{html.escape(s.text(s.start))}</output></label>'
            for s in self.sliders
        )
        return (
            f'<div class="svf-explorer">{_STYLE}<fieldset disabled="disabled"><legend>{html.escape(self.title)}'
            f'</legend>{rows}</fieldset><p class="svf-still">{_STILL}</p>{start}'
            f'<script type="application/json">{data}</script>{_SCRIPT}</div>'
        )

    _repr_html_ = to_html

    def __repr__(self) -> str:
        return f"<FrameExplorer {self.title!r}, {math.prod(len(s.values) for s in self.sliders)} frames>"

    def live(self):
        """The explorer as an ipywidgets box that computes every frame when a slider moves; for a running kernel.

        Its children are one slider for each slider (a ``FloatSlider`` where it has a ``live_step``, else a
        ``SelectionSlider``) and an ``HTML`` widget with the frame.
        """
        import ipywidgets as widgets  # only here: pages and tests of frames need no widgets

        # "initial" is the width of the label itself, whatever its length
        look = {"layout": widgets.Layout(width="95%", max_width="640px"), "style": {"description_width": "initial"}}
        controls = {
            s.name: widgets.FloatSlider(
                value=s.start, min=s.values[0], max=s.values[-1], description=s.label, step=s.live_step,
                readout_format=_readout_format(s.live_step), **look,
            ) if s.live_step else widgets.SelectionSlider(
                value=s.start, options=[(s.text(value), value) for value in s.words or s.values], description=s.label,
                **look,
            )
            for s in self.sliders
        }
        picture = widgets.HTML()

        def show(_change: object = None) -> None:
            frame = self.frame_html(**{name: control.value for name, control in controls.items()})
            picture.value = f'<div class="svf-explorer">{_STYLE}{frame}</div>'

        for control in controls.values():
            control.observe(show, names="value")
        show()
        return widgets.VBox([*controls.values(), picture])

    def _data(self) -> dict:
        """All frames as columns, in the order of the product of the sliders' values (the last one moves fastest)."""
        names = [slider.name for slider in self.sliders]
        grid = itertools.product(*(slider.values for slider in self.sliders))
        frames = [self.frame(**dict(zip(names, values, strict=True))) for values in grid]
        keys = [{(part, key) for part, changes in frame.items() for key in changes} for frame in frames]
        if any(k != keys[0] for k in keys):
            raise ValueError("every frame must set the same attributes of the same parts")
        channels = []
        for part, key in sorted(keys[0]):
            column = [frame[part][key] for frame in frames]
            if len(set(column)) == 1:
                continue  # it never changes: the starting frame has it already
            channels.append({"part": part, "key": key, **_shorter(column)})
        labels = [[slider.text(value) for value in slider.values] for slider in self.sliders]
        return {"labels": labels, "channels": channels}


def rounded(value: float, digits: int = 1) -> float:
    """``value`` with few digits, the same on every machine: noise at a tie is removed first, and -0 becomes 0.

    Example:
        >>> rounded(1.26), rounded(23.96), rounded(-0.04)
        (1.3, 24, 0)
    """
    result = round(round(float(value), digits + 6), digits) + 0.0
    return int(result) if result == int(result) else result


def _readout_format(step: float) -> str:
    """As many decimals as the step has: ipywidgets refuses "~", without which the "g" format shows 60 as 60.00."""
    decimals = next((k for k in range(6) if math.isclose(step * 10**k, round(step * 10**k), abs_tol=1e-9)), 6)
    return f".{decimals}f"


def _shorter(column: list) -> dict:
    """A column as it is, or as a table of its different values with an index into it, whichever takes less room."""
    plain = {"values": column}
    table = sorted(set(column), key=lambda value: (-column.count(value), str(value)))
    place = {value: index for index, value in enumerate(table)}
    indexed = {"values": [place[value] for value in column], "table": table}
    return min(plain, indexed, key=lambda form: len(json.dumps(form, separators=(",", ":"))))


_STILL = (
    "This is one frame of many: the sliders move once this page's script has run. "
    "In Jupyter, trust the notebook or run the cell."
)

_WIDE = "The picture is wider than this screen: move it sideways."

_STYLE = """<style>
.svf-explorer { max-width: 700px; color: inherit; }
.svf-explorer .svf-picture { overflow-x: auto; }
.svf-explorer fieldset { border: 0; margin: 0 0 .6em; padding: 0; display: grid; gap: .2em; }
.svf-explorer legend { font-weight: 600; padding: 0; margin: 0 0 .3em; font-size: 1em; float: none; }
.svf-explorer label { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .8em; margin: 0; }
.svf-explorer label > span { flex: 0 0 17em; }
.svf-explorer input { flex: 1 1 12em; min-width: 8em; accent-color: #0072B2; }
.svf-explorer output { flex: 0 0 6em; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.svf-explorer svg { display: block; width: 100%; min-width: 600px; height: auto; background: none; }
.svf-explorer svg text { fill: currentColor; font: 13px system-ui, sans-serif; }
.svf-explorer p { margin: .3em 0; }
.svf-explorer .svf-readout { min-height: 6.4em; font-variant-numeric: tabular-nums; }
.svf-explorer .svf-still { font-size: .85em; font-style: italic; }
.svf-explorer .svf-wide { display: none; font-size: .85em; font-style: italic; }
@media (max-width: 640px) {
  .svf-explorer .svf-wide { display: block; }
  .svf-explorer label > span { flex-basis: 100%; }
}
</style>"""

_SCRIPT = """<script>
document.querySelectorAll('.svf-explorer:not([data-ready])').forEach(function (root) {
  var store = root.querySelector('script[type="application/json"]');
  if (!store) return;
  root.setAttribute('data-ready', '');
  var data = JSON.parse(store.textContent);
  var inputs = Array.prototype.slice.call(root.querySelectorAll('input[type="range"]'));
  data.channels.forEach(function (c) { c.nodes = root.querySelectorAll('[data-part="' + c.part + '"]'); });
  function show() {
    var frame = inputs.reduce(function (index, input, i) {
      var label = data.labels[i][+input.value];
      input.setAttribute('aria-valuetext', label);
      input.parentNode.querySelector('output').textContent = label;
      return index * data.labels[i].length + (+input.value);
    }, 0);
    data.channels.forEach(function (c) {
      var value = c.values[frame];
      if (c.table) value = c.table[value];
      var key = c.key.split(':');
      c.nodes.forEach(function (node) {
        if (c.key === 'text') node.textContent = value;
        else node.setAttribute(key[0], key[1] ? key[1] + '(' + value + ')' : value);
      });
    });
  }
  inputs.forEach(function (input) { input.addEventListener('input', show); });
  root.querySelector('fieldset').disabled = false;
  root.querySelector('.svf-still').hidden = true;
  show();
});
</script>"""
