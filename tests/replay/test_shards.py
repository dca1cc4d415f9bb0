"""Law L6: parts of a history that share no identifier, replayed apart, give what the whole gives."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest

from reactor.replay import Options, Replay

from . import parity

KEYS = ("client", "mail", "mail_raw", "customer", "guest", "invoice")


def parts_of(history: parity.History, parts: int) -> list[list[int]]:
    """Return the numbers of the events of each part: connected identifiers stay together."""
    leader: dict[object, object] = {}

    def find(value: object) -> object:
        while leader.setdefault(value, value) != value:
            value = leader[value]
        return value

    def join(row: dict[str, object]) -> object:
        # Raw texts, whatever their key: what is together here may be apart in truth, never the other way.
        texts = [str(row[key]).lower() for key in (*KEYS, "canonical") if row.get(key) is not None]
        texts += [str(row[key]).lower() for key in ("Client", "CUSTOMER") if row.get(key) is not None]
        for text in texts[1:]:
            leader[find(texts[0])] = find(text)
        return texts[0] if texts else None

    for row in history.batch:
        join(row)
    members = [join(event) for event in history.events]
    places = {root: place % parts for place, root in enumerate(dict.fromkeys(map(find, members)))}
    found: list[list[int]] = [[] for _ in range(parts)]
    for number, member in enumerate(members):
        found[places[find(member)]].append(number)
    return found


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("engine", ["live", "columnar"])
def test_parts_apart_are_the_whole(number: int, engine: str) -> None:
    """Would catch whatever reaches from one profile into another: a rid, a sum that runs over, a window."""
    case = parity.draw(Random(f"parts/{number}"), roomy=True, histories=1)
    history = case.histories[0]
    history.options.pop("limit", None)
    options = Options(**history.options, engine=engine)  # type: ignore[arg-type]
    whole = Replay(case.config, history.events, options, batch=history.batch or None).run(attributes=True)
    offers, attributes = [], []
    for numbers in parts_of(history, 3):
        events = [history.events[each] for each in numbers]
        part = Replay(case.config, events, options, batch=history.batch or None).run(attributes=True)
        # The numbers of events are those of the part: back to those of the whole.
        back = pl.Series(numbers, dtype=pl.Int64)
        offers.append(part.offers.with_columns(back.gather(part.offers["event"]).alias("event")))
        assert part.attributes is not None
        again = back.gather(part.attributes["event"]).alias("event")
        attributes.append(part.attributes.with_columns(again))
    parity.assert_equal("offers", whole.offers, pl.concat(offers).sort("event", maintain_order=True))
    parity.assert_equal("attributes", whole.attributes, pl.concat(attributes).sort("event"))
