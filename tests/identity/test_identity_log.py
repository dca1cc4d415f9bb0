"""The rows of `id_changes`, exactly as the vendor writes them."""

from __future__ import annotations

import pytest
from driver import Driver

from reactor.identity import RID, Stitched, format_rid

COLUMNS = [
    "time",
    "event_type",
    "reactor_instance_id",
    "profile_change_type",
    "current_rid",
    "current_id_attributes",
    "key_values",
    "merged_rids",
    "evicted_ids",
    "td_rt_tracking_id",
]


def rows(driver: Driver, stitched: Stitched) -> list[tuple[object, ...]]:
    """Return the five columns that tell rows apart, after checking those that don't."""
    found = driver.identity.id_changes(stitched, 1_700_000_000_999, "t-1")
    for row in found:
        assert list(row) == COLUMNS
        assert [row[name] for name in COLUMNS[:3]] == [1_700_000_000, "id", "shop"]
        assert row["td_rt_tracking_id"] == "t-1"
    return [tuple(row[name] for name in (COLUMNS[3], *COLUMNS[5:9])) for row in found]


def test_a_new_profile_is_one_added_row() -> None:
    driver = Driver()
    stitched = driver.event("c1", "a@b", time=10)
    assert rows(driver, stitched) == [
        ("profile_added", ["client:c1", "email:a@b"], "client:c1,email:a@b", [], None)
    ]
    (row,) = driver.identity.id_changes(stitched, 0)
    assert row["current_rid"] == format_rid(stitched.profile[RID])
    assert row["td_rt_tracking_id"] is None


def test_an_attached_identifier_is_one_updated_row_with_the_full_set() -> None:
    driver = Driver()
    driver.event("c2", "a@b", time=10)
    driver.event("c10", "a@b", time=20)
    stitched = driver.event("c2", None, "u1", time=30)
    # By key in config order, then by text.
    assert rows(driver, stitched) == [
        (
            "profile_updated_by_stitching",
            ["customer:u1"],
            "client:c10,client:c2,email:a@b,customer:u1",
            [],
            None,
        )
    ]


@pytest.mark.parametrize("values", [("c1",), ("c1", "a@b"), ("c1", 7), (7, ""), ()])
def test_nothing_changed_is_no_row(values: tuple[object, ...]) -> None:
    driver = Driver()
    driver.event("c1", "a@b", time=10)
    assert rows(driver, driver.event(*values, time=20)) == []


def test_a_merge_is_a_deleted_row_each_and_one_updated_row() -> None:
    driver = Driver()
    rids = [
        format_rid(driver.event(*values, time=time).profile[RID])
        for time, values in ((10, (None, "a@b")), (20, ("c1",)), (30, (None, None, "u1")))
    ]
    stitched = driver.event("c1", "a@b", "u1", time=40)
    assert rows(driver, stitched) == [
        ("profile_deleted_by_stitching", None, None, None, None),
        ("profile_deleted_by_stitching", None, None, None, None),
        (
            "profile_updated_by_stitching",
            ["client:c1", "customer:u1"],
            "client:c1,email:a@b,customer:u1",
            rids[1:],
            None,
        ),
    ]
    found = [row["current_rid"] for row in driver.identity.id_changes(stitched, 0)]
    assert found == [*rids[1:], rids[0]]


def test_an_eviction_is_a_row_beside_the_updated_one() -> None:
    driver = Driver(associations=2)
    driver.event("c1", "a@b", time=10)
    stitched = driver.event("c2", "a@b", time=20)
    assert rows(driver, stitched) == [
        ("profile_updated_by_stitching", ["client:c2"], "client:c2,email:a@b", [], None),
        ("profile_ids_evicted", ["client:c2"], None, None, '["client:c1"]'),
    ]


def test_an_evicted_rid_alone_is_no_row_of_its_own() -> None:
    driver = Driver(associations=3)
    driver.event("c1", time=10)
    driver.event(None, "a@b", time=20)
    driver.event("c1", "a@b", time=30)
    stitched = driver.event("c1", "a@b", "u1", time=40)
    assert len(stitched.evicted_rids) == 1
    assert [row[0] for row in rows(driver, stitched)] == ["profile_updated_by_stitching"]


def test_a_late_event_can_lose_what_it_brought() -> None:
    driver = Driver(associations=2)
    driver.event("c1", "a@b", time=10)
    stitched = driver.event("c1", None, "u1", time=5)
    assert rows(driver, stitched) == [
        ("profile_updated_by_stitching", ["customer:u1"], "client:c1,email:a@b", [], None),
        ("profile_ids_evicted", ["customer:u1"], None, None, '["customer:u1"]'),
    ]


def test_a_batch_row_that_changes_something_has_rows_too() -> None:
    driver = Driver()
    driver.event("c1", time=10)
    stitched = driver.identity.join([(0, "c1"), (2, "u1")])
    assert rows(driver, stitched) == [
        ("profile_updated_by_stitching", ["customer:u1"], "client:c1,customer:u1", [], None)
    ]
