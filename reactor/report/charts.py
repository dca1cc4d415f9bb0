"""Charts as static SVG: small, to be set side by side, readable on a phone and in print.

Vega draws them without a network. Their colours stand for roles; the page's styles replace them, so
that one drawing serves light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from markupsafe import Markup

from reactor.frames import need
from reactor.report.facts import Periods

# Roles, as the page's styles know them.
INK, GRID, LINE = "#1f2328", "#e3e6ea", "#8b949e"
A, B, GAINED, LOST, CHANGED = "#2456c7", "#b45309", "#1a7f37", "#c0262d", "#8a5a00"

_WIDTH: Final = 300
_CONFIG: Final[dict[str, Any]] = {
    "aria": False,
    "font": "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
    "text": {"fill": INK, "fontSize": 11},
}


def bars_over_time(axis: Periods, series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Draw bars for each period; series: (colour, counts), stacked; counts below 0 go down."""
    values = []
    tops, bottoms = [0] * len(axis.starts), [0] * len(axis.starts)
    for colour, counts in series:
        for place, count in enumerate(counts):
            ends = tops if count > 0 else bottoms
            if count:
                period = {"from": _iso(axis.starts[place]), "to": _iso(axis.starts[place + 1])}
                values.append({**period, "low": ends[place], "high": ends[place] + count, "c": colour})
                ends[place] += count
    x = {
        "field": "from",
        "type": "temporal",
        "scale": {"type": "utc", "domain": [_iso(axis.starts[0]), _iso(axis.starts[-1])]},
        "axis": {"title": None, "grid": False, "tickCount": 5, "labelOverlap": True, "format": _format(axis)},
    }
    y = {
        "field": "low",
        "type": "quantitative",
        "scale": {"domain": [min(bottoms), max(tops)], "nice": 3},
        "axis": {"title": None, "format": "~s", **_ticks(min(bottoms), max(tops))},
    }
    encoding = {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "high"}, "color": _colour()}
    return _draw(values, {"type": "rect"}, encoding, height=90)


def _ticks(low: int, high: int) -> dict[str, Any]:
    """Return where ticks stand: at every whole number, if there are few."""
    return {"values": list(range(low, high + 1))} if high - low <= 3 else {"tickCount": 3}


def grouped_bars(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Draw upright bars by label; series: (colour, counts), side by side."""
    values = [
        {"label": label, "n": count, "c": colour, "s": place}
        for place, (colour, counts) in enumerate(series)
        for label, count in zip(labels, counts, strict=True)
    ]
    x_axis = {"title": None, "labelAngle": 0, "labelFontSize": 10, "labelOverlap": False}
    most = max((count for _, counts in series for count in counts), default=0)
    y_axis = {"title": None, "format": "~s", **_ticks(0, most)}
    return _draw(
        values,
        {"type": "bar"},
        {
            "x": {"field": "label", "type": "nominal", "sort": None, "axis": x_axis},
            "xOffset": {"field": "s", "type": "nominal"},
            "y": {"field": "n", "type": "quantitative", "axis": y_axis},
            "color": _colour(),
        },
        height=140,
    )


def lying_bars(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Draw lying bars, each with its number; series: (colour, counts), below each other."""
    values = [
        {"label": f"{number + 1}", "n": count, "c": colour, "s": place}
        for place, (colour, counts) in enumerate(series)
        for number, (_, count) in enumerate(zip(labels, counts, strict=True))
    ]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False},
    }
    x = {"field": "n", "type": "quantitative", "axis": {"title": None, "tickCount": 4, "format": "~s"}}
    shared = {"y": y, "yOffset": {"field": "s", "type": "nominal"}, "x": x}
    layers = [
        {"mark": {"type": "bar"}, "encoding": {**shared, "color": _colour()}},
        {
            "mark": {"type": "text", "align": "left", "dx": 4, "fill": INK},
            "encoding": {**shared, "text": {"field": "n", "type": "quantitative", "format": ",d"}},
        },
    ]
    return _render(
        {"data": {"values": values}, "layer": layers, "height": {"step": 12 if len(series) > 1 else 20}}
    )


def _draw(
    values: list[dict[str, Any]], mark: dict[str, Any], encoding: dict[str, Any], *, height: int
) -> Markup:
    return _render({"data": {"values": values}, "mark": mark, "encoding": encoding, "height": height})


def _render(spec: dict[str, Any]) -> Markup:
    vega = need("vl_convert", "a report", '"reactor-engine[report]"')
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "background": None,
        "config": _CONFIG,
        **spec,
    }
    # Vega escapes all text; the drawing has no script and no link.
    return Markup(vega.vegalite_to_svg(whole))


def _colour() -> dict[str, Any]:
    return {"field": "c", "type": "nominal", "scale": None}


def _iso(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _format(axis: Periods) -> str:
    return "%d %b" if axis.unit == "day" else "%b %y"
