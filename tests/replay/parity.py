"""The columnar replay against the live engine on drawn configs and histories: every table, row by row.

    python tests/replay/parity.py --count 20000 --seed 1

prints how many cases agreed, and the share of events that the live engine replayed for the columns.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from random import Random
from typing import Any, NamedTuple

import msgspec
import polars as pl

from reactor.replay import Options, Replay
from reactor.spec import Config, load_config
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.strategies import Choice, make_config

TABLES = ("offers", "id_changes", "rejects", "attributes", "attributes_before", "profiles")


class History(NamedTuple):
    """Events and batch rows, and how they are replayed."""

    events: list[dict[str, object]]
    batch: list[dict[str, object]]
    options: dict[str, Any]


class Case(NamedTuple):
    """A drawn config, and histories for it."""

    config: dict[str, Any]
    histories: list[History]


class Verdict(NamedTuple):
    """What came of a case: the events there were, those that fell back, and why."""

    events: int
    fallback: int
    reasons: Counter[str]


def draw(random: Random, *, roomy: bool | None = None, histories: int = 3) -> Case:
    """Draw a case. roomy: whether no profile can reach the cap on associations; None: either."""
    roomy = random.random() < 0.8 if roomy is None else roomy
    config: dict[str, Any] = dict(make_config(random, Choice(remembering=roomy)))
    if roomy:
        config["limits"].pop("associations", None)
    lookup = config["identity"]["lookup_key"]
    return Case(config, [draw_history(random, lookup) for _ in range(histories)])


def draw_history(random: Random, lookup: str) -> History:
    """Draw events, batch rows and options."""
    times = Times(random, distinct=random.random() < 0.3)
    local = random.random() < 0.5
    junk = random.choice((0.0, 0.02, 0.08, 0.2))
    events = []
    for _ in range(random.choice((0, 1, 3, 12, 30, 30, 60, 120))):
        table, event = make_event(random, times.draw(), junk=junk, local=local)
        events.append({**event, "table": table})
    spoil(random, events)
    batch = make_rows(random, lookup_key=lookup) if random.random() < 0.7 else []
    options: dict[str, Any] = {"table_column": "table", "audience": random.choice(("public", "private"))}
    if random.random() < 0.15 and events:
        options["since_ms"] = times.now_ms - random.choice((0, 1_000, 3_600_000))
    if random.random() < 0.1:
        options["limit"] = random.randrange(1 + len(events))
    return History(events, batch, options)


def spoil(random: Random, events: list[dict[str, object]]) -> None:
    """Now and then make all events one profile's, or nobody's, or take a column from all."""
    shape = random.random()
    for event in events:
        if shape < 0.1:
            event["client"] = "c1"
        elif shape < 0.15:
            for key in ("client", "mail", "customer", "guest", "mail_raw", "invoice"):
                event.pop(key, None)
        elif shape < 0.35:
            event.pop(("a", "n", "kind", "tags")[int(shape * 20) - 3], None)


def check(case: Case) -> Verdict:
    """Assert that both engines give the same; return what the columns left to the live engine."""
    config = load_config(case.config)
    verdict = Verdict(0, 0, Counter())
    for history in case.histories:
        fallback = check_history(config, history)
        verdict = Verdict(
            verdict.events + len(history.events),
            verdict.fallback + fallback["events"],
            verdict.reasons + Counter(fallback["reasons"]),
        )
    return verdict


def check_history(config: Config, history: History) -> dict[str, Any]:
    """Assert that both engines give the same of one history; return the summary's `fallback`."""
    options = Options(**history.options, engine="live")
    replay = Replay(config, history.events, options, batch=history.batch or None)
    live = replay.run(attributes=True, attributes_before=True, profiles=True)
    replay.options = msgspec.structs.replace(options, engine="columnar")
    columnar = replay.run(attributes=True, attributes_before=True, profiles=True)
    for name in TABLES:
        assert_equal(name, getattr(live, name), getattr(columnar, name))
    ours, theirs = dict(columnar.summary), dict(live.summary)
    assert (ours.pop("engine"), theirs.pop("engine")) == ("columnar", "live")
    fallback, none = ours.pop("fallback"), theirs.pop("fallback")
    assert none is None
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert repr(ours[name]) == repr(value), f"summary: {name}: {ours[name]} is not {value}"
    found: dict[str, Any] = fallback
    return found


def assert_equal(name: str, live: pl.DataFrame | None, columnar: pl.DataFrame | None) -> None:
    """Assert that two tables have the same columns, types and rows."""
    assert live is not None
    assert columnar is not None, name
    assert live.schema == columnar.schema, f"{name}: {live.schema} is not {columnar.schema}"
    if live.equals(columnar):
        return
    assert live.height == columnar.height, f"{name}: {columnar.height} rows, not {live.height}"
    for column in live.columns:
        ours, theirs = columnar[column].to_list(), live[column].to_list()
        for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            assert repr(mine) == repr(other), f"{name}: {column}, row {row}: {mine} is not {other}"


def main() -> None:
    """Check many cases, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--roomy", action="store_true", help="no caps on associations")
    parser.add_argument("--keep-going", action="store_true")
    asked = parser.parse_args()
    begun = time.process_time()
    events = fallback = failed = 0
    reasons: Counter[str] = Counter()
    for number in range(asked.count):
        seed = f"{asked.seed}/{number}"
        case = draw(Random(seed), roomy=True if asked.roomy else None)
        try:
            verdict = check(case)
        except Exception as error:
            failed += 1
            print(f"case {seed}: {type(error).__name__}: {str(error)[:300]}")
            if not asked.keep_going:
                raise
            continue
        events += verdict.events
        fallback += verdict.fallback
        reasons.update(verdict.reasons)
    spent = time.process_time() - begun
    share = fallback / max(events, 1)
    print(f"{asked.count - failed} of {asked.count} cases agree, in {spent:.0f} s")
    print(f"{events} events, of which the live engine replayed {fallback} ({share:.1%}): {dict(reasons)}")


if __name__ == "__main__":
    main()
