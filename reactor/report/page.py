"""The page: facts and charts in a template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from reactor.frames import need
from reactor.report import charts, facts
from reactor.spec import Config

if TYPE_CHECKING:
    from reactor.replay import Comparison

MOST_CHARTS: Final = 24  # sections with a chart of their own: those with the most offers
MOST_EXAMPLES: Final = 60


class Tables(Protocol):
    """What a replay gave, whole or in pieces."""

    @property
    def summary(self) -> dict[str, Any]:
        """The counts."""

    @property
    def firsts(self) -> pl.DataFrame:
        """The first offer of each section."""

    def frames(self, name: str) -> Iterable[pl.DataFrame]:
        """Return a table in frames."""


def replay_page(config: Config, results: Tables) -> str:
    """Return the report of a replay as HTML.

    For a public audience it holds no identifier and no sensitive value; for a private one it does.
    Raises MissingExtraError without the extra `report`.
    """
    summary = results.summary
    # Of a large replay only what is counted is held.
    offers = pl.concat(
        frame.select("event", "time", "profile", "section") for frame in results.frames("offers")
    )
    id_changes = pl.concat(frame.select(facts.STITCHING) for frame in results.frames("id_changes"))
    names = [each["section"] for each in summary["sections"]]
    axis = facts.periods(offers)
    counted = {} if axis is None else {name: facts.over_time(offers, axis, name) for name in names}
    times = [
        {"name": name, "counts": counts, "total": sum(counts), "svg": _upright(axis, counts)}
        for name, counts in _busiest(counted)
    ]
    frequency = facts.frequency(offers)
    reached = [each["profiles"] for each in summary["sections"]]
    return _render(
        "replay",
        config=config,
        summary=summary,
        axis=axis,
        times=times,
        sections=summary["sections"],
        reached=facts.reach(offers),
        known=offers["profile"].drop_nulls().len(),
        reach=charts.lying_bars(names, [(charts.A, reached)]) if names else None,
        frequency=frequency,
        frequencies=charts.grouped_bars(*_unzipped([frequency], [charts.A])),
        names=names,
        overlap=facts.overlap(offers, names),
        examples=list(_firsts(config, results)),
        quality=[("", facts.quality(summary, id_changes))],
        warnings=summary["warnings"],
    )


def comparison_page(comparison: Comparison) -> str:
    """Return the report of a comparison as HTML; see `replay_page`."""
    summary, (a, b) = comparison.summary(), comparison.results
    names = [each["section"] for each in summary["sections"]]
    axis = facts.periods(a.offers, b.offers)
    counted = {} if axis is None else {name: _changes(comparison.offers, axis, name) for name in names}
    times = [
        {"name": name, "counts": counts, "total": sum(map(sum, counts)), "svg": _diverging(axis, counts)}
        for name, counts in _busiest(counted)
        if any(map(any, counts))
    ]
    frequency = [facts.frequency(results.offers) for results in (a, b)]
    profiles = [[each[f"profiles_{side}"] for each in summary["sections"]] for side in "ab"]
    overlaps = [facts.overlap(results.offers, names) for results in (a, b)]
    quality = [facts.quality(results.summary, results.id_changes) for results in (a, b)]
    same = quality[0] == quality[1]
    warnings = [results.summary["warnings"] for results in (a, b)]
    return _render(
        "comparison",
        configs=comparison.configs,
        summary=summary,
        axis=axis,
        times=times,
        unchanged=[each["section"] for each in summary["sections"]
                   if not each["gained"] + each["lost"] + each["changed"]],
        sections=summary["sections"],
        reach=charts.lying_bars(names, [(charts.A, profiles[0]), (charts.B, profiles[1])]) if names else None,
        frequency=frequency,
        frequencies=charts.grouped_bars(*_unzipped(frequency, [charts.A, charts.B])),
        names=names,
        overlap=_difference(*overlaps),
        examples=comparison.examples.head(MOST_EXAMPLES).to_dicts(),
        more=max(comparison.examples.height - MOST_EXAMPLES, 0),
        quality=[("", quality[0])] if same else list(zip(("A: ", "B: "), quality, strict=True)),
        warnings=[*(text if text in warnings[1] else f"A: {text}" for text in warnings[0]),
                  *(f"B: {text}" for text in warnings[1] if text not in warnings[0])],
    )  # fmt: skip


def _busiest(counted: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the sections that get a chart, in their order."""

    def total(name: str) -> int:
        counts = counted[name]
        return sum(sum(each) if isinstance(each, list) else each for each in counts)

    kept = sorted(counted, key=total, reverse=True)[:MOST_CHARTS]
    return ((name, counts) for name, counts in counted.items() if name in kept)


def _changes(offers: pl.DataFrame, axis: facts.Periods, section: str) -> list[list[int]]:
    """Return what was gained, lost and changed in a section, by period."""
    return [
        facts.over_time(offers.filter(change=change), axis, section)
        for change in ("gained", "lost", "changed")
    ]


def _upright(axis: facts.Periods | None, counts: Sequence[int]) -> Any:
    assert axis is not None
    return charts.bars_over_time(axis, [(charts.A, counts)])


def _diverging(axis: facts.Periods | None, counts: Sequence[Sequence[int]]) -> Any:
    assert axis is not None
    gained, lost, changed = counts
    down = [-count for count in lost]
    return charts.bars_over_time(
        axis, [(charts.GAINED, gained), (charts.CHANGED, changed), (charts.LOST, down)]
    )


def _unzipped(
    sides: Sequence[Sequence[tuple[str, int]]], colours: Sequence[str]
) -> tuple[list[str], list[tuple[str, list[int]]]]:
    labels = [label for label, _ in sides[0]]
    return labels, [
        (colour, [count for _, count in side]) for colour, side in zip(colours, sides, strict=True)
    ]


def _difference(a: list[list[float | None]], b: list[list[float | None]]) -> list[list[float | None]]:
    """Return b less a; None where one of them says nothing."""
    return [
        [None if one is None or two is None else two - one for one, two in zip(*row, strict=True)]
        for row in zip(a, b, strict=True)
    ]


def _firsts(config: Config, results: Tables) -> Iterator[dict[str, Any]]:
    """Yield the first offer of each section; without values, where it reads something sensitive."""
    sensitive = {section.name for section in config.sections if section.sensitive}
    for row in results.firsts.head(MOST_EXAMPLES).iter_rows(named=True):
        payload = None
        if row["section"] not in sensitive and row["attributes"] is not None:
            payload = {name: _text(value) for name, value in json.loads(row["attributes"]).items()}
        yield {**row, "payload": payload}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _render(kind: str, **values: Any) -> str:
    jinja = need("jinja2", "a report", '"reactor-engine[report]"')
    loader = jinja.PackageLoader("reactor.report", "templates")
    page = jinja.Environment(
        loader=loader, autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page.filters.update(number=_number, share=_share, points=_points, day=_day, read=_read)
    text: str = page.get_template(f"{kind}.html").render(**values)
    return text


def _number(value: float | None) -> str:
    """Write a number for a reader.

    >>> _number(19898), _number(1.4714), _number(None)
    ('19,898', '1.47', '–')
    """
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else "<1" if 0 < value < 0.005 else f"{value * 100:.0f}"


def _points(value: float | None) -> str:
    return (
        "–" if value is None else "0" if abs(value) < 0.005 else f"{value * 100:+.0f}".replace("-", "\u2212")
    )


def _day(text: str | None) -> str:
    return "" if text is None else text[:10]


def _read(text: str | None) -> list[tuple[str, str]]:
    """Return the values in a JSON object, to be shown; none of what is no object."""
    values = json.loads(text or "{}")
    return [(name, _text(value)) for name, value in values.items()] if isinstance(values, dict) else []
