"""The tables of a replay beside the offers: attributes, profiles, changes of identity."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from reactor.replay import Options, Replay, simulate

from .shop import CONFIG, DAY, VIEWS, order, view


def test_attributes_hold_every_part_just_after_the_event() -> None:
    batch = [{"email": "a@x", "tier": "gold", "since": "1970-01-01", "tags": ["x", "y"], "time": 3 * DAY}]
    events = [view("a", 0, "/x", email="a@x"), view("a", 5, "/y", what="web.views")]
    run = simulate(CONFIG, events, table="web.views", batch=batch, audience="private")
    shown = run.attributes.drop("event", "table", "time", "rid")
    assert shown.schema == {
        "views": pl.Int64,
        "views.day": pl.Int64,
        "spend": pl.Float64,
        "last_page": pl.String,
        "pages.names": pl.String,
        "pages.last": pl.String,
        "pages.number": pl.Int64,
        "tier": pl.String,
        "since": pl.Datetime("ms", "UTC"),
        "tags": pl.List(pl.String),
        "generous": pl.Boolean,
    }
    assert shown.rows() == [
        (1, 1, 0.0, "/x", '["/x"]', '"/x"', 1, None, None, None, False),
        (
            2,
            1,
            0.0,
            "/y",
            '["/x","/y"]',
            '"/y"',
            2,
            "gold",
            datetime(1970, 1, 1, tzinfo=UTC),
            ["x", "y"],
            False,
        ),
    ]
    public = simulate(CONFIG, events, table="web.views", batch=batch).attributes
    assert public.columns == [name for name in run.attributes.columns if name != "last_page"]
    assert public.equals(run.attributes.drop("last_page"))


def test_attributes_of_an_event_of_nobody() -> None:
    run = simulate(CONFIG, [{"page": "/", "time": 0}, view("a", 1)], table="web.views")
    assert run.attributes["event", "rid", "views"].rows()[0] == (0, None, 1)
    assert run.attributes["views"].to_list() == [1, 1]


def test_an_attribute_called_like_a_column_of_the_table() -> None:
    counter = {"type": "counter", "on": "view", "window": "1d"}
    config = {**CONFIG, "attributes": {"table": counter, "created": counter}, "personalizations": {}}
    run = simulate(config, VIEWS, table="web.views")
    assert run.attributes.columns == ["event", "table", "time", "rid", "attributes.table", "created"]
    assert run.profiles().columns == [
        "rid",
        "created",
        "last_seen",
        "table",
        "attributes.created",
        "sections",
    ]


def test_profiles_at_the_end_and_in_between() -> None:
    events = {
        "web.views": [view("a", 0, "/x"), view("b", 8)],
        "web.orders": [order("a@x", 3, 150, cookie="a")],
    }
    run = simulate(CONFIG, events)
    midnight = datetime(1970, 1, 1, tzinfo=UTC)
    last = run.profiles()
    shown = ["created", "last_seen", "views", "spend", "generous", "sections"]
    assert last[shown].rows() == [
        (midnight, datetime(1970, 1, 4, 11, tzinfo=UTC), 0, 150.0, True, ["Big"]),
        (datetime(1970, 1, 9, tzinfo=UTC),) * 2 + (1, 0.0, False, []),
    ]
    assert last.columns[:3] == ["rid", "created", "last_seen"]
    assert "last_page" not in last.columns
    assert "cookie" not in last.columns
    # As of the first days: the order and the second profile have not happened yet.
    assert run.profiles(at="1970-01-03")[shown].rows() == [(midnight, midnight, 1, 0.0, False, [])]
    # Long after: the total counter's 60 days are over.
    assert run.profiles(at="1970-06-01")[shown].rows()[0][2:] == (0, 0.0, False, [])


def test_profiles_for_a_private_audience_have_keys_and_sensitive_parts() -> None:
    events = [view("a", 0, "/x", email="a@x"), view("b", 1, email="a@x"), view("c", 2)]
    profiles = simulate(CONFIG, events, table="web.views", audience="private").profiles()
    assert profiles["cookie", "email", "last_page"].rows() == [(["b", "a"], ["a@x"], "/"), (["c"], [], "/")]


def test_id_changes_have_the_vendors_columns_behind_the_event() -> None:
    events = [
        view("a", 0),
        view("b", 1),
        view("a", 2, email="x", td_rt_tracking_id="t"),
        view("b", 3, email="x"),
    ]
    changes = simulate(CONFIG, events, table="web.views").id_changes
    kinds = ["added", "added", "updated_by_stitching", "deleted_by_stitching", "updated_by_stitching"]
    assert changes["profile_change_type"].to_list() == [f"profile_{kind}" for kind in kinds]
    assert changes["event"].to_list() == [0, 1, 2, 3, 3]
    assert changes["time"].to_list() == [0, DAY, 2 * DAY, 3 * DAY, 3 * DAY]
    assert changes["td_rt_tracking_id"].to_list() == [None, None, "t", None, None]
    assert changes["merged_rids"].to_list()[-1] == [changes["current_rid"][3]]
    assert changes["current_id_attributes"].to_list()[2] == ["email:x"]


def test_results_are_the_same_with_and_without_more_tables() -> None:
    """Asking for more changes nothing of the rest; each pass starts anew."""
    replay = Replay(CONFIG, VIEWS, Options(table="web.views"))
    plain = replay.run()
    full = replay.run(attributes=True, profiles=True)
    assert plain.attributes is None
    assert plain.profiles is None
    assert plain.offers.equals(full.offers)
    assert plain.summary == full.summary
    assert full.attributes is not None
    assert full.attributes.equals(simulate(CONFIG, VIEWS, table="web.views").attributes)


def test_progress_is_told() -> None:
    told: dict[str, list[tuple[int, int]]] = {"live": [], "columnar": []}
    for engine, calls in told.items():
        options = Options(table="web.views", engine=engine)  # type: ignore[arg-type]
        replay = Replay(CONFIG, [view("a", day) for day in range(1200)], options)
        replay.run(progress=lambda done, total, calls=calls: calls.append((done, total)))  # type: ignore[misc]
    assert told["live"] == [(0, 1200), (500, 1200), (1000, 1200), (1200, 1200)]
    assert told["columnar"] == [(0, 1200), (240, 1200), (480, 1200), (960, 1200), (1200, 1200)]
