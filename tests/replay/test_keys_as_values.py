"""A computed attribute may be a stitching key: its values go out as a list of their own, in order."""

from __future__ import annotations

from typing import Any

import pytest

from reactor import Reactor, simulate

CONFIG: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "identity": {"keys": {"email": {}, "cookie": {}}},
    "key_events": {"order": "web.orders"},
    "attributes": {"emails": {"type": "computed", "value": "email"}},
    "personalizations": {
        "page": {"sections": {"Thanks": {"on": "order", "payload": {"strings": {"message": "Thank you"}}}}}
    },
}
EVENTS = [
    {"email": "b@example.com", "cookie": "1", "time": 1},
    {"email": "a@example.com", "cookie": "1", "time": 2},
    {"cookie": "2", "time": 3},
]


@pytest.mark.parametrize("engine", ["live", "columnar"])
def test_each_row_has_the_values_of_its_time(engine: Any) -> None:
    run = simulate(CONFIG, EVENTS, audience="private", engine=engine)
    assert [["b@example.com"], ["a@example.com", "b@example.com"], None] == run.attributes["emails"].to_list()
    before = run.attributes_before["emails"].to_list()
    assert [None, ["b@example.com"], None] == before


def test_a_view_shares_nothing_with_the_profile() -> None:
    engine = Reactor(CONFIG)
    engine.process(EVENTS[0])
    view = engine.profile({"cookie": "1"})
    assert view is not None
    engine.process(EVENTS[1])
    assert ["b@example.com"] == view.attributes["emails"]
