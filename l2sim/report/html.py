"""What every page of a report is made of: tables that sort, figures that tell their values, one style, one script.

A page opens from disk anywhere, fetches nothing and escapes all it shows; without its script it shows the same.
"""

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from l2sim.report.style import svg
from l2sim.report.traces import traces
from l2sim.report.words import number, seconds, share, usd

TEMPLATES = ("page.html", "parts.html", "report.html", "sweep.html", "compare.html", "summary.html")

ON_ANY_BACKGROUND = (
    (re.compile(r"#000000\b"), "currentColor"),
    (
        re.compile(r'(?<=style="fill: )#ffffff(?="/>)'),
        "none",
    ),  # behind figures and panels; hatches and words stay white
    (re.compile(r"#dddddd\b"), "var(--line)"),
    (re.compile(r"#e4e4e4\b"), "var(--area)"),
)
"""Colours of a figure that must follow those of the page, in the light and in the dark."""


class Cell(NamedTuple):
    """A cell of a table: its words, what it is sorted by, and a second, softer line."""

    words: str
    value: float | str | None = None
    more: str = ""


class Line(NamedTuple):
    """A row of a table: its label and its cells."""

    label: str
    cells: tuple[Cell, ...]


class Grid(NamedTuple):
    """A table: what it is about, its column heads (the first over the labels), its rows."""

    caption: str
    heads: tuple[str, ...]
    lines: Sequence[Line]


class Shown(NamedTuple):
    """A figure on a page: its name, heading, what it shows in words, SVG, data; what it says to who cannot see it."""

    name: str
    heading: str
    caption: str
    svg: Markup
    data: Markup
    alternative: str = ""
    """Stands for the picture where it says more than the caption."""


def shown(name: str, heading: str, caption: str, figure: Figure, text: str | None = None) -> Shown:
    """A figure ready for a page; `text` is its SVG where that is there already."""
    drawn = svg(figure) if text is None else text
    return Shown(name, heading, caption, inline(drawn, name), as_json(traces(figure)))


def inline(text: str, name: str) -> Markup:
    """Our own SVG as part of a page: without its prologue, with ids of its own, in the page's colours."""
    body = text[text.index("<svg") :]
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\1{name}-", body)
    for colour, instead in ON_ANY_BACKGROUND:
        body = colour.sub(instead, body)
    return Markup(body)  # our own, not a user's text


def as_json(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def file_text(name: str) -> str:
    """A template of this package, or its style or script."""
    return resources.files("l2sim.report").joinpath("templates", name).read_text(encoding="utf-8")


def render(template: str, **values: Any) -> str:
    """A page or a part of one from a template; every value is escaped unless it is our own markup."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({name: file_text(name) for name in TEMPLATES}),
    )
    environment.filters.update(usd=usd, seconds=seconds, share=share, number=number)
    own: Mapping[str, Any] = {"style": Markup(file_text("style.css")), "script": Markup(file_text("script.js"))}
    return environment.get_template(template).render(**own, **values)
