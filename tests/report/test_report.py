"""The report page: it parses, needs no network, tells the tables' numbers, and gives nothing away."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from contextlib import closing
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from reactor.replay import Comparison, Options, Replay, Results
from reactor.report import comparison_page, replay_page
from reactor.report.facts import frequency, over_time, overlap, periods, reach, stitched
from reactor.spec import Config

ROOT = Path(__file__).resolve().parents[2]
RETAIL = ROOT / "docs" / "examples" / "retail"
HOSTILE = "<script>alert('x')</script> & \"q\" {{ 7 * 7 }}"
DAY = 86_400
CONFIG: dict[str, Any] = {
    "version": 1,
    "name": HOSTILE,
    "description": HOSTILE,
    "identity": {"keys": {"cookie": {"invalid": ["none"]}, "email": {}}},
    "key_events": {"view": "web.views"},
    "attributes": {
        "views": {"type": "counter", "on": "view", "window": "7d"},
        "page": {"type": "single", "on": "view", "value": "page", "dtype": "string", "sensitive": False},
        "secret": {"type": "single", "on": "view", "value": "secret", "dtype": "string", "sensitive": True},
    },
    "personalizations": {
        HOSTILE: {
            "sections": {
                HOSTILE: {"on": "view", "payload": {"attributes": {"page": "page"}}},
                "Again": {"on": "view", "when": "views > 1", "payload": {"attributes": {"views": "views"}}},
                "Secret": {
                    "on": "view",
                    "when": "secret IS NOT NULL",
                    "payload": {"attributes": {"secret": "secret"}},
                },
            }
        }
    },
}
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Reads a page; raises where tags don't match. Gathers tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += f" {data}"


def events() -> list[dict[str, Any]]:
    """Return visits of two visitors who turn out to be one, a third, a refused value and a bad row."""
    seen = [("a-cookie", 0, HOSTILE), ("b-cookie", 1, "/x"), ("a-cookie", 40, "/y"), ("none", 41, "/z")]
    rows: list[dict[str, Any]] = [
        {"cookie": cookie, "page": page, "time": day * DAY, "secret": "private-value"}
        for cookie, day, page in seen
    ]
    both = [
        {"cookie": cookie, "email": "e@mail.example", "time": 42 * DAY} for cookie in ("a-cookie", "b-cookie")
    ]
    return [*rows, *both, {"cookie": "c", "time": "soon"}]


def replayed(audience: str = "public", config: dict[str, Any] | None = None) -> tuple[Replay, Results]:
    """Return a replay of the events, and its results."""
    replay = Replay(config or CONFIG, events(), Options(audience=audience))  # type: ignore[arg-type]
    return replay, replay.run()


def compared(audience: str = "public") -> Comparison:
    """Return a comparison with another config: one more view is needed, and a section is gone."""
    other = copy.deepcopy(CONFIG)
    sections = other["personalizations"][HOSTILE]["sections"]
    sections["Again"]["when"] = "views > 2 OR secret = 'private-value'"
    del sections[HOSTILE]
    a, b = replayed(audience), replayed(audience, other)
    return Comparison(a[0], b[0], a[1], b[1])


@cache
def pages(audience: str = "public") -> list[str]:
    """Return the pages of a replay and of a comparison."""
    replay, results = replayed(audience)
    return [replay_page(replay.config, results), comparison_page(compared(audience))]


def test_a_page_stands_alone_and_escapes() -> None:
    """Every tag is closed; nothing is loaded, linked to or run; a hostile name is only text."""
    for text in pages():
        page = Page(text)
        assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "img", "image", "a"}
        for _, attributes in page.tags:
            assert not {"src", "href", "xlink:href", "srcset", "action"} & set(attributes)
            assert not any(name.startswith("on") for name in attributes)
        assert not re.search(r"url\(|@import", text)
        outside = set(re.findall(r"https?://[^\"' )]+", text))
        assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
        assert "<script" not in text
        assert HOSTILE in page.text
        assert "{{ 7 * 7 }}" in page.text


def test_a_page_can_be_read_aloud() -> None:
    """Every drawing has a label and a table of its numbers; tables have headings; one `h1`, a language."""
    for text in pages():
        page = Page(text)
        names = [tag for tag, _ in page.tags]
        assert names.count("h1") == 1
        assert ("html", {"lang": "en"}) in page.tags
        labelled = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
        assert len(labelled) == names.count("svg") > 2
        assert all(attributes.get("aria-label") for attributes in labelled)
        assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
        assert names.count("figure") == names.count("figcaption")


@pytest.mark.parametrize("place", ["a-cookie", "b-cookie", "e@mail.example", "private-value"])
def test_a_public_page_holds_no_identifier_and_no_sensitive_value(place: str) -> None:
    """Where the value is one of the config's own text it may stand in a criterion, and there only."""
    replay, compare = pages()
    assert place not in replay
    in_criteria = compare.count("<code>secret = &#39;private-value&#39;</code>")
    assert compare.count(place) == (in_criteria if place == "private-value" else 0)
    # What reads something sensitive stays unseen among the examples of a replay for anybody.
    assert place not in pages("private")[0]


def cells(text: str, name: str) -> list[list[str]]:
    """Return the cells of the rows below a heading, as far as the next one."""
    part = text.partition(f'<h2 id="{name}">')[2].partition("<h2")[0]
    rows = re.findall(r"<tr.*?</tr>", part.partition("<tbody>")[2].partition("</tbody>")[0], re.DOTALL)
    found = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<.*?>", "", cell).strip() for cell in row] for row in found]


def test_the_numbers_are_those_of_the_tables() -> None:
    replay, results = replayed()
    text = replay_page(replay.config, results)
    by_section = results.offers.group_by("section").agg(pl.len(), pl.col("profile").drop_nulls().n_unique())
    expected = {name: [str(offers), str(profiles)] for name, offers, profiles in by_section.iter_rows()}
    rows = cells(text, "sections")
    assert [row[2:4] for row in rows[1:]] == [expected["Again"], expected["Secret"]]
    found = compared()
    rows = cells(comparison_page(found), "sections")
    columns = found.sections["offers_a", "offers_b", "gained", "lost", "changed", "profiles_a", "profiles_b"]
    for row, counts in zip(rows, columns.iter_rows(), strict=True):
        a, b, gained, lost, changed, reach_a, reach_b = counts
        assert row[1:6] == [f"{a} → {b}", str(gained), str(lost), str(changed), f"{reach_a} → {reach_b}"]
    examples = [row[1] for row in cells(comparison_page(found), "examples")]
    assert examples == found.examples["change"].to_list()


def test_facts() -> None:
    """Counted by hand: a and b turn out to be one; their six visits and one of nobody are six weeks apart."""
    _, results = replayed()
    offers = results.offers
    axis = periods(offers)
    assert axis is not None
    assert (axis.unit, len(axis.starts)) == ("day", 44)
    assert [day for day, count in enumerate(over_time(offers, axis, HOSTILE)) if count] == [0, 1, 40, 41, 42]
    assert (reach(offers), reach(offers, "Again")) == (1, 1)
    assert dict(frequency(offers))["10–19"] == 1
    assert overlap(offers, [HOSTILE, "Again", "never"]) == [[1, 1, 0], [1, 1, 0], [None, None, None]]
    found = stitched(results.id_changes)
    assert [(row["merged"], row["identifiers"]) for row in found] == [(1, 3)]
    assert periods(offers.clear()) is None
    weekly = pl.DataFrame({"time": [0, 100 * DAY * 1000]}, schema={"time": pl.Datetime("ms", "UTC")})
    assert periods(weekly).unit == "week"  # type: ignore[union-attr]
    monthly = pl.DataFrame({"time": [0, 1000 * DAY * 1000]}, schema={"time": pl.Datetime("ms", "UTC")})
    assert periods(monthly).unit == "month"  # type: ignore[union-attr]


def test_data_quality_and_nothing_at_all() -> None:
    text = replay_page(*_config_and(*replayed()))
    quality = Page(text).text.partition("Data quality")[2]
    assert "1 of 7 rows were left out" in " ".join(quality.split())
    assert "1 of 6 events carry no usable identifier" in " ".join(quality.split())
    assert "expected epoch seconds or ISO 8601 text" in quality
    empty = Replay(CONFIG, [], Options())
    results = empty.run()
    assert "Nothing was offered." in Page(replay_page(empty.config, results)).text
    assert "No offer changes." in Page(comparison_page(Comparison(empty, empty, results, results))).text


def _config_and(replay: Replay, results: Results) -> tuple[Config, Results]:
    return replay.config, results


@pytest.fixture(scope="module")
def retail() -> str:
    """Return the report of the retail sample."""
    replay = Replay(
        RETAIL / "reactor.yaml", RETAIL / "orders.csv.gz", Options(), batch=RETAIL / "loyalty.csv"
    )
    return replay_page(replay.config, replay.run())


def test_the_retail_page_is_small(retail: str) -> None:
    """Below a megabyte, and of no invoice or customer number."""
    assert len(retail.encode()) < 1_000_000
    orders = pl.read_csv(RETAIL / "orders.csv.gz", infer_schema=False)
    text = re.sub(r"<svg.*?</svg>", "", retail, flags=re.DOTALL)
    words = set(re.findall(r"\w+", text))
    assert not words & set(orders["CustomerID"].drop_nulls().unique())


def browser() -> str | None:
    """Return the command of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_browser(retail: str, tmp_path: Path, width: int) -> None:
    """Laid out by a real browser, nothing is wider than the window, and every drawing is seen.

    The page is shown in a frame of that width, for a window has a least one.
    """
    command = browser()
    if command is None:
        pytest.skip("NOT TESTED: there is no chromium, so the report's page was not laid out")
    probe = """<script>addEventListener("load", () => {
      const wide = [...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll, svg, details")
        && e.getBoundingClientRect().right > innerWidth + 1).length;
      const height = e => e.getBoundingClientRect().height;
      const drawn = [...document.querySelectorAll("svg")].filter(e => height(e) > 40).length;
      const isSmall = e => height(e) > 0 && height(e) < 9;
      const small = [...document.querySelectorAll("svg text")].filter(isSmall).length;
      const scrolled = document.documentElement.scrollWidth;
      parent.postMessage([innerWidth, scrolled, wide, drawn, small].join(" "), "*");
    })</script></body>"""
    (tmp_path / "page.html").write_text(retail.replace("</body>", probe))
    frame = f'<iframe src="page.html" style="border:0;width:{width}px;height:3000px"></iframe>'
    listen = "<script>addEventListener('message', e => document.title = e.data)</script>"
    (tmp_path / "frame.html").write_text(
        f"<html><head><title>-</title>{listen}</head><body>{frame}</body></html>"
    )
    done = subprocess.run(
        [command, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         f"--window-size={max(width + 50, 500)},3100", "--virtual-time-budget=5000", "--dump-dom",
         (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stderr[-2_000:]
    inner, scrolled, wide, drawn, small = map(int, title[1].split())
    assert inner == width
    assert scrolled <= width
    assert (wide, small) == (0, 0)
    assert drawn == retail.count("<svg")


def test_pieces_make_the_same_page() -> None:
    """A replay in bounded memory tells the same as a whole one."""
    from reactor.replay.pieced import PiecedReplay, sizes_of

    replay, results = replayed()
    with closing(PiecedReplay(CONFIG, events(), Options(), sizes=sizes_of("1GB"))) as pieced:
        text = replay_page(pieced.config, pieced.parted())
    assert text == replay_page(replay.config, results)
