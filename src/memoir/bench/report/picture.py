"""Pictures: small drawings side by side, each an SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1f2430", "#5c6470", "#d5dae1", "#fdfdfc"
FIRES, SILENT, EITHER = "#0b63a5", "#b85410", "#6b6f76"
NEUTRAL = "#6f7680"
PALETTE = ("#0b64a6", "#c04c00", "#007a5c", "#a3457f", "#86650a", "#4a4fbf", "#b0323a", "#2f7f8f")
MARKERS = ("o", "s", "^", "D", "v", "P")
GLYPHS = ("●", "■", "▲", "◆", "▼", "✚")

_NAMES = {
    **{INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"},
    **{FIRES: "fires", SILENT: "silent", EITHER: "either", NEUTRAL: "neutral"},
    **{colour: f"s{i}" for i, colour in enumerate(PALETTE)},
}
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "memoir",
    "text.parse_math": False,
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
}
_UNDATED = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Key:
    """An entry of a picture's legend: a name, and the mark that stands for it."""

    name: str
    colour: str
    glyph: str = "●"


@dataclass(frozen=True)
class Drawing:
    """One SVG, with a heading above it."""

    title: str
    svg: str


@dataclass(frozen=True)
class Picture:
    """Drawings that are read together.

    Attributes:
        title: what it shows.
        caption: how to read it, in one sentence.
        wide: whether its drawings need more than a small multiple's width.
    """

    title: str
    caption: str
    drawings: tuple[Drawing, ...]
    legend: tuple[Key, ...] = ()
    wide: bool = False


def draw(name: str, size: tuple[float, float], says: str, paint: Callable[[Figure], None]) -> str:
    """Paint a figure of this size (inches) and give it as SVG.

    Args:
        name: unique in the page; keeps the ids of drawings apart.
        size: width and height.
        says: the main numbers, for those who cannot see it.
        paint: draws on the figure; colours are this module's.
    """
    with style.context(["default", _RC]), warnings.catch_warnings():
        # Texts stay texts: that the measuring font lacks a letter does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size)
        paint(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata=_UNDATED)
    return _fit_for_page(stream.getvalue(), name, says)


def axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes with margins in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    )


def variable(colour: str) -> str:
    """The page's name for a colour of this module."""
    return f"var(--{_NAMES[colour]})"


def _fit_for_page(svg: str, name: str, says: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*; ?", "", svg)
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\1{name}-", svg)
    for colour, meaning in _NAMES.items():
        svg = svg.replace(colour, f"var(--{meaning})")
    box = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg {box[0] if box else ""} role="img" aria-label="{_attribute(says)}" '
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return re.sub(r"<svg[^>]*>", lambda _: f"{opening}{spaces}>", svg, count=1).strip()


def _attribute(text: str) -> str:
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(letter, entity)
    return text
