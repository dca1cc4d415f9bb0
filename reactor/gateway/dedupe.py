"""Which events were seen before: a window of uuids, bounded in time and in number."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

MOST: Final = 1_000_000  # some 150 MB
_MOST_TEXT: Final = 256


class Dedupe:
    """Remembers the uuids of the last `window_ms`, at most `most`, of which the oldest leave first.

    >>> seen = Dedupe(60_000)
    >>> seen.add("web.views", "u-1", 1_000), seen.add("web.views", "u-1", 2_000)
    (True, False)
    >>> seen.add("web.orders", "u-1", 2_000), seen.add("web.views", "u-1", 61_001)
    (True, True)
    """

    def __init__(self, window_ms: int, most: int = MOST) -> None:
        self._window_ms = window_ms
        self._most = most
        self._seen: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, table: str, uuid: str, now_ms: int) -> bool:
        """Remember an event; return whether it is new."""
        self._expire(now_ms)
        key = _key(table, uuid)
        if key in self._seen:
            return False
        self._seen[key] = now_ms
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return True

    def drop(self, table: str, uuid: str) -> None:
        """Forget an event that was not kept after all."""
        self._seen.pop(_key(table, uuid), None)

    def _expire(self, now_ms: int) -> None:
        oldest = now_ms - self._window_ms
        while self._seen:
            key = next(iter(self._seen))
            if self._seen[key] >= oldest:
                return
            del self._seen[key]


def usable_uuid(value: object) -> str | None:
    """Return the uuid an event carries, or None where it has none that can be told again."""
    return value if isinstance(value, str) and 0 < len(value) <= _MOST_TEXT and value.isprintable() else None


def _key(table: str, uuid: str) -> bytes:
    # As the window is full of uuids of the same length, a digest is smaller than the text.
    return blake2b(f"{table}\0{uuid}".encode(), digest_size=16).digest()
