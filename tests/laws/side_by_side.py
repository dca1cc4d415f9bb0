"""Runs the engine and the reference model side by side on the same calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from reactor import EventError, Outcome, Reactor
from reactor.spec import Config, load_config
from reactor.testing.histories import Times, make_event, make_rows
from reactor.testing.reference import Reference, ReferenceOutcome


class Pair:
    """An engine and a reference that must agree; `steps` is what was called, to be read on a failure."""

    def __init__(self, config: Mapping[str, Any] | Config) -> None:
        self.config = config if isinstance(config, Config) else load_config(config)
        self.engine = Reactor(self.config)
        self.reference = Reference(self.config)
        self.steps: list[str] = []
        self.earlier: tuple[object, object] = (None, None)

    def call(self, method: str, *arguments: object, **options: object) -> object:
        """Call both; they must answer, or refuse, alike. Returns the reference's answer."""
        self.steps.append(f"{method}(*{arguments!r}, **{options!r})")
        expected = answer_of(self.reference, method, arguments, options)
        got = answer_of(self.engine, method, arguments, options)
        assert plain(expected) == plain(got), f"{method} disagrees after {len(self.steps)} steps"
        if isinstance(got, Outcome):
            assert typed(json.loads(got.json())) == {"offers": typed(got.offers)}
        self.engine.check()
        then, kept = self.earlier
        assert plain(kept) == then, f"{method} changed an answer given earlier"
        self.earlier = plain(got), got
        return expected

    def process(self, event: Mapping[str, Any] | bytes, **options: object) -> object:
        """Process an event in both, then compare the whole profile."""
        outcome = self.call("process", event, **options)
        if isinstance(outcome, ReferenceOutcome) and outcome.rid is not None:
            self.call("profile", rid=outcome.rid)
        return outcome


def answer_of(
    engine: Reactor | Reference, method: str, arguments: tuple[object, ...], options: Any
) -> object:
    """Return what a call answers: for a refusal, that it was one."""
    try:
        answer = getattr(engine, method)(*arguments, **options)
    except EventError:
        return "refused"
    return None if method == "import_batch" else answer


def plain(answer: object) -> object:
    """Return an answer with plain fields, numbers in their JSON form, and types told apart."""
    if answer is None or isinstance(answer, str):
        return answer
    if hasattr(answer, "attributes"):
        fields = {
            name: getattr(answer, name) for name in ("rid", "created", "last_seen", "keys", "attributes")
        }
    else:
        names = ("offers", "rid", "now", "id_changes", "validation_failures")
        fields = {name: getattr(answer, name) for name in names}
    return {name: typed(value) for name, value in fields.items()}


def typed(value: object) -> object:
    """Return a value that equals another only if their JSON is the same: 1 and 1.0 are, 1 and true aren't."""
    if isinstance(value, dict):
        return {name: typed(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [typed(entry) for entry in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return "number", int(value)
    if isinstance(value, bool | int | float):
        return "boolean" if isinstance(value, bool) else "number", value
    return value


def drive(pair: Pair, random: Random, count: int, *, junk: float = 0.08) -> None:
    """Make `count` random calls, mostly events."""
    times = Times(random)
    lookup_key = str(pair.config.lookup_key)
    for _ in range(count):
        kind = random.random()
        if kind < 0.04:
            pair.call("import_batch", make_rows(random, lookup_key=lookup_key), replace=random.random() < 0.6)
        elif kind < 0.12:
            _read(pair, random, times)
        else:
            _event(pair, random, times, junk)


def _event(pair: Pair, random: Random, times: Times, junk: float) -> None:
    time_ms = times.draw()
    options: dict[str, object] = {"audience": random.choice(("public", "private"))}
    if random.random() < 0.2:
        options["now"] = (time_ms + random.choice((-300_001, -300_000, -1, 0, 3_600_000))) / 1000
    timed = "now" not in options or random.random() < 0.8
    table, event = make_event(random, time_ms if timed else None, junk=junk, local=True)
    options["table"] = table
    if random.random() < 0.1:
        pair.call("evaluate", event, **options)
    if random.random() < 0.1:
        del options["audience"]
        pair.call("ingest", event, **options)
    elif random.random() < 0.2:
        pair.process(as_text(event), **options)
    else:
        pair.process(event, **options)


def as_text(event: Mapping[str, Any]) -> Any:
    """Return an event as JSON bytes; as it is where JSON has no form for it."""
    try:
        return json.dumps(event, allow_nan=False).encode()
    except ValueError:
        return event


def _read(pair: Pair, random: Random, times: Times) -> None:
    known = sorted({identifier for held in pair.reference.partition() for identifier in held})
    key, value = random.choice(known) if known and random.random() < 0.9 else ("client", "nobody")
    now = random.choice((None, (times.now_ms + random.choice((-1000, 0, 61_000, 3 * 86_400_000))) / 1000))
    keys = {key: value}
    if random.random() < 0.3 and known:
        keys.update([random.choice(known)])
    pair.call(random.choice(("offers", "profile")), keys, now=now)
