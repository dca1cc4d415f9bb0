"""What the tests of replays in parts share: a config in which everything can join, and its histories."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reactor.frames.pieces import PieceSize
from reactor.replay import Options, Replay, Results
from reactor.replay.pieced import PiecedReplay
from reactor.replay.spill import Sizes

from .shop import CONFIG, DAY

# The e-mail is made of another column; an account joins batch rows only; "null" joins nobody.
JOINING: dict[str, Any] = {
    **CONFIG,
    "tables": {
        "web.views": {"columns": {"email": "lower(trim(mail))"}},
        "web.orders": {"time": "ordered_at", "columns": {"email": "lower(trim(mail))"}},
    },
    "identity": {
        "keys": {"cookie": {"invalid": ["null"]}, "email": {"valid": "@"}, "account": {"internal": True}},
        "lookup_key": "email",
    },
}
COOKIES = st.sampled_from(["a", "b", "c", "d", "e", "null", ""]) | st.just(7)
MAILS = st.sampled_from(["x@", "X@ ", "y@", "z@", "w@", "none"])
VIEW = st.fixed_dictionaries(
    {"table": st.just("web.views"), "time": st.integers(0, 9).map(lambda day: day * DAY)},
    optional={"cookie": COOKIES, "mail": MAILS, "page": st.sampled_from(["/1", "/2"]), "account": MAILS},
)
ORDER = st.fixed_dictionaries(
    {"table": st.just("web.orders"), "ordered_at": st.integers(0, 9).map(lambda day: day * DAY)},
    optional={"cookie": COOKIES, "mail": MAILS, "amount": st.integers(1, 150) | st.just("much")},
)
BAD = st.sampled_from(
    [{"table": "web.views", "time": "soon"}, {"time": 5}, {"table": "web.other", "time": 9}]
)
EVENTS = st.lists(VIEW | ORDER | BAD, max_size=25)
ROW = st.fixed_dictionaries(
    {"email": st.sampled_from(["x@", "y@", "z@", "v@"])},
    optional={
        "account": st.sampled_from(["p", "q"]),
        "tier": st.just("gold"),
        "segments": st.just(["7"]),
        "time": st.integers(0, 9).map(lambda day: day * DAY),
    },
)
ROWS = st.none() | st.lists(ROW, max_size=4)
CUTS = st.fixed_dictionaries(
    {},
    optional={
        "since_ms": st.integers(0, 9).map(lambda day: day * DAY * 1000),
        "until_ms": st.integers(0, 9).map(lambda day: day * DAY * 1000),
        "limit": st.integers(0, 20),
    },
)

TABLES = ("offers", "attributes", "attributes_before", "id_changes", "profiles", "rejects")


def sizes(rows: int, bucket_rows: int | None = None, piece_bytes: int = 1_000_000) -> Sizes:
    """Return sizes for a piece of so many rows, and buckets as large unless said otherwise."""
    return Sizes(PieceSize(rows, piece_bytes), bucket_rows or rows, 0, 4 * rows)


def whole(config: Mapping[str, Any], events: Any, options: Options, rows: Any = None) -> Results:
    """Replay in one piece, with every table."""
    return Replay(config, events, options, batch=rows).run(
        attributes=True, attributes_before=True, profiles=True
    )


def pieced(config: Mapping[str, Any], events: Any, options: Options, rows: Any, cut: Sizes) -> Results:
    """Replay in pieces, with every table."""
    replay = PiecedReplay(config, events, options, batch=rows, sizes=cut)
    try:
        return replay.run(attributes=True, attributes_before=True, profiles=True)
    finally:
        replay.close()


def assert_same(expected: Results, found: Results, *, warnings: bool = True) -> None:
    """Assert that two runs gave the same rows of the same types, in the same order, and the same counts."""
    for name in TABLES:
        one, other = getattr(expected, name), getattr(found, name)
        assert one.schema == other.schema, name
        assert one.rows() == other.rows(), name
    one_summary, other_summary = dict(expected.summary), dict(found.summary)
    if not warnings:
        one_summary.pop("warnings")
        other_summary.pop("warnings")
    assert json.dumps(one_summary) == json.dumps(other_summary)


def write_lines(path: Path, events: list[Any]) -> str:
    """Write events as JSON lines."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    return str(path)
