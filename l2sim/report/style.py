"""One look for every figure: readable in grey, for colour-blind people, on paper and on screen."""

import base64
import io
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common kind of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 2, 2)))

HATCHES = ("", "//", "..", "xx", "--", "\\\\", "++", "oo")
"""For bars side by side, which colour alone would not tell apart in grey."""

PNG_DPI = 130

PARAMETERS: Any = {  # matplotlib types its keys one by one
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "l2sim",  # equal results give equal files
    "svg.fonttype": "path",
    "path.simplify": True,
}


class Chart(Figure):
    """A matplotlib Figure that needs no global state and shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        return png(self)


def chart(width: float = 8.0, height: float = 4.6) -> Chart:
    """A new figure in the project's look; sizes in inches."""
    with mpl.rc_context(PARAMETERS):
        return Chart(figsize=(width, height), layout="constrained")


def look(index: int) -> dict[str, Any]:
    """Colour, dash and width of the system at that place in the scenario.

    Later lines are thinner, so that of two that lie on each other both show.
    """
    width = max(1.2, 2.8 - 0.35 * index)
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)], "linewidth": width}


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, the same for equal figures."""
    # The canvas itself, not savefig, which draws everything a first time only to find its size.
    with mpl.rc_context(PARAMETERS), io.BytesIO() as buffer:
        usual_dpi = figure.dpi
        figure.dpi = PNG_DPI
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(buffer, metadata={"Software": "l2sim"}, pil_kwargs={"compress_level": 2})
        figure.dpi = usual_dpi
        return buffer.getvalue()


def inline_png(figure: Figure, alternative: str) -> str:
    """The figure as an HTML image that needs no file, with a text for those who do not see it."""
    data = base64.b64encode(png(figure)).decode()
    return f'<img alt="{escape(alternative, quote=True)}" style="max-width:100%" src="data:image/png;base64,{data}">'


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same for equal figures."""
    with mpl.rc_context(PARAMETERS), io.StringIO() as buffer:
        usual_dpi = figure.dpi
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": "l2sim"})
        figure.dpi = usual_dpi
        return buffer.getvalue()
