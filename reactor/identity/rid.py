"""The rid: a profile's id, in the form of a UUIDv7, made from its founding event alone.

    48 bits  ms of the founding event          4 bits  7, the version
    12 bits  the first of the hash             2 bits  binary 10, the variant
    62 bits  the rest of the hash

A rid is an int inside the engine, whose order is that of its text and that of age. The hash
is BLAKE2b with the secret as its key, over the key's name, a NUL and the identifier. So
a replay, a shard and a second machine mint the same rid, and whoever has no secret can't
test whether a rid belongs to a guessed address.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from hashlib import blake2b
from itertools import count
from typing import Final

_FIXED: Final = 7 << 76 | 2 << 62
_LOW: Final = (1 << 62) - 1
_FORM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_MOST_KEY_BYTES: Final = 64  # what BLAKE2b takes as a key


class Mint:
    """Makes rids. One hash a key is begun at construction, which saves two blocks a rid."""

    __slots__ = ("_begun",)

    def __init__(self, names: Sequence[str], secret: str) -> None:
        key = secret.encode(errors="surrogatepass")
        if len(key) > _MOST_KEY_BYTES:
            key = blake2b(key).digest()
        self._begun = tuple(
            blake2b(name.encode(errors="surrogatepass") + b"\0", digest_size=10, key=key) for name in names
        )

    def rid(self, k: int, value: str, time: int, taken: Container[int]) -> int:
        """Return a rid that is not taken, for a profile founded at `time` by an identifier.

        k: index of the identifier's key. If the rid is taken, a NUL and a counter from 1 are
        appended to the value until it is free.

        >>> mint = Mint(["email"], "secret")
        >>> rid = mint.rid(0, "a@example.com", 1_500_000_000_000, ())
        >>> format_rid(rid)
        '015d3ef7-9800-72ae-a3f5-640ae3ac409c'
        >>> format_rid(mint.rid(0, "a@example.com", 1_500_000_000_000, {rid}))
        '015d3ef7-9800-7fb6-a335-a08cc0cd497e'
        """
        hashing = self._begun[k].copy()
        hashing.update(value.encode())
        bits = int.from_bytes(hashing.digest(), "big") >> 6
        rid = time << 80 | _FIXED | bits >> 62 << 64 | bits & _LOW
        return self._next_rid(k, value, time, taken) if rid in taken else rid

    def _next_rid(self, k: int, value: str, time: int, taken: Container[int]) -> int:
        numbered = (self.rid(k, f"{value}\0{number}", time, ()) for number in count(1))
        return next(rid for rid in numbered if rid not in taken)


def format_rid(rid: int) -> str:
    """Write a rid as the text of a UUID.

    >>> format_rid(0x018c_0000_0000_7000_8000_0000_0000_0001)
    '018c0000-0000-7000-8000-000000000001'
    """
    digits = f"{rid:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_rid(text: str) -> int | None:
    """Read the text of a UUID, in any case of letters; None if it is none.

    >>> parse_rid("018C0000-0000-7000-8000-000000000001") == 0x018c_0000_0000_7000_8000_0000_0000_0001
    True
    >>> parse_rid("018c0000") is None
    True
    """
    return int(text.replace("-", ""), 16) if _FORM.fullmatch(text) else None
