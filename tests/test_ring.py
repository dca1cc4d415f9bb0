"""The ring against a naive sum of increments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reactor import ring
from reactor.ring import Panes, Window

# Windows of one counter: three pane widths that nest, and a fine window longer than a coarse one.
PANES = Panes.of((Window(100_000, 4_000), Window(30_000, 2_000), Window(50_000, 1_000), Window(3_000, 1_000)))
EVENTS = st.lists(st.tuples(st.integers(0, 300_000), st.integers(-5, 5)), max_size=60)


def naive(events: list[tuple[int, int]], window: Window, now_ms: int) -> int:
    low, high = (now_ms - window.window_ms) // window.pane_ms, now_ms // window.pane_ms
    return sum(weight for time, weight in events if low <= time // window.pane_ms <= high)


def filled(events: list[tuple[int, int]], limit: int = ring.FIRST_LIMIT) -> ring.Row:
    row = [*ring.EMPTY[:2], limit]
    newest = 0
    for time, weight in events:
        newest = max(newest, time)
        ring.add(row, 0, time // PANES.unit_ms, weight, PANES, newest)
        ring.check(row, 0)
    return row


def read(row: ring.Row, window: Window, now_ms: int) -> int:
    return ring.since(row, 0, window.low(now_ms, PANES.unit_ms))


def test_a_window_never_misses_an_event_inside_and_reaches_back_one_pane_at_most() -> None:
    window = Window(10_000, 5_000)
    #        pane 0      pane 1        pane 2        pane 3
    #   0 ........ 5,000 ...... 10,000 ...... 15,000 ......
    row = list(ring.EMPTY)
    panes = Panes.of((window,))
    ring.add(row, 0, 4_999 // 5_000, 1, panes, 4_999)
    answers = [ring.since(row, 0, window.low(now, 5_000)) for now in (4_999, 14_999, 15_000)]
    assert [1, 1, 0] == answers


@given(EVENTS, st.integers(0, 120_000), st.sampled_from([1, 2, ring.FIRST_LIMIT]))
def test_every_window_equals_the_naive_sum(events: list[tuple[int, int]], later: int, limit: int) -> None:
    """Catches a wrong edge, a fold that moves a pane across one, and lost late events."""
    row = filled(events, limit)
    now_ms = max((time for time, _ in events), default=0) + later
    for window in PANES.windows:
        assert naive(events, window, now_ms) == read(row, window, now_ms)


@given(EVENTS, st.integers(0, 50_000))
def test_folding_changes_no_answer_and_forgets_the_order(events: list[tuple[int, int]], later: int) -> None:
    """Catches a fold that depends on arrival, and one that is not the same twice."""
    newest = max((time for time, _ in events), default=0)
    row, other = filled(events, 1), filled(events[::-1], 2)
    states = [ring.folded(each[0], each[1], PANES, newest) for each in (row, other)]
    assert states[0] == states[1]
    ring.fold(row, 0, PANES, newest)
    assert states[0] == (row[0], row[1])
    for window in PANES.windows:
        assert naive(events, window, newest + later) == read(row, window, newest + later)


@given(EVENTS, EVENTS)
def test_a_merge_equals_having_added_everything_to_one(
    mine: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    newest = max((time for time, _ in mine + theirs), default=0)
    rows = filled(mine, 1), filled(theirs, 2)
    kept = [list(map(list, row[:2])) for row in rows]
    merged = ring.merge(rows[0], rows[1], 0, PANES, newest)
    expected = ring.folded(*filled(mine + theirs)[:2], PANES, newest)
    assert expected == ring.folded(merged[0], merged[1], PANES, newest)
    ring.check(list(merged), 0)
    assert kept == [list(map(list, row[:2])) for row in rows], "a merge changes neither side"


def test_a_ring_grows_with_use_and_not_with_the_window() -> None:
    panes = Panes.of((Window(90 * 86_400_000, 3_600_000), Window(3_600_000, 60_000)))
    row = list(ring.EMPTY)
    for hour in range(24 * 400):
        ring.add(row, 0, hour * 60, 1, panes, hour * 3_600_000)
    kept = 90 * 24 + 62
    assert len(row[0]) <= 2 * kept + ring.FIRST_LIMIT
    ring.fold(row, 0, panes, 24 * 400 * 3_600_000)
    assert 90 * 24 <= len(row[0]) <= kept
