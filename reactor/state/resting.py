"""Profiles at rest: which they are, and how a row becomes packed bytes and back, in place.

A profile is one list as long as it lives. In use it is a row; at rest it holds

    [rid, text, packed, text, ...]

`packed` stands where a row has the time of its newest event, so that one look at that place tells
which it is. The texts are the profile's identifiers, the very objects that the index has as keys,
key after key (None for the first where there is none). `packed` is

    newest event in ms     6 bytes
    how it is squeezed     1 byte: see `_squeezed`
    size of the head       1 byte; 255, and 4 more, where that is too little
    head                   MessagePack: [newest - created, absorbed, key 0, ..., key K-1]
    body                   the attributes as in a snapshot, squeezed

A key in the head is None, the age of its one value, or the ages of its values, counted from the
newest event.

Who rests is a matter of room alone, and shows in nothing. Rows stand in a queue in the order in which
they came into use. When there are too many, the first goes to rest, unless it has seen a newer event
since it was queued: then it goes to the back. An event of a row in use touches nothing here; and a
row goes to rest only at the beginning of a call, when nobody holds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from reactor.identity import ABSORBED, CREATED, KEYS, NEWEST, RID, Profile, is_at_rest
from reactor.state.account import Account
from reactor.state.pack import PAIR, Packer, Plain, packed_rids, rids_of

IN_USE: Final = 100_000  # rows in use, as a rule
SPARED: Final = 4  # rows that may go to the back of the queue for one that goes to rest
_NEWEST_BYTES: Final = 6
_SQUEEZED: Final = _NEWEST_BYTES
_SIZE: Final = _NEWEST_BYTES + 1
_LONG: Final = 255
# What stands for the first bytes of a time, and for the newest event: two bytes that a body has nowhere
# else. MessagePack begins nothing with 0xc1, and UTF-8 has it nowhere.
_MARKS: Final = tuple((bytes([one]), bytes([one - 1])) for one in (0xC1, 0xFE, 0xFC, 0xFA, 0x1D, 0x1B))

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Resting:
    """Brings the profiles of a packer to rest and into use.

    keys: how many there are.
    most: rows in use at the beginning of a call; None for any number.
    """

    def __init__(self, packer: Packer, keys: int, most: int | None) -> None:
        self.most = most
        self._packer = packer
        self._end = KEYS + keys
        self.account: Account | None = None  # told who rests and who wakes
        self._queue: deque[Profile] = deque()
        self._marks: deque[int] = deque()  # newest event of each when it was queued

    @property
    def in_use(self) -> int:
        """How many rows are in use, those that nothing points at any more included."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether a further row would be one too many."""
        return self.most is not None and len(self._queue) >= self.most

    def keep(self, most: int | None, rows: Iterable[Profile]) -> None:
        """Set how many rows may be in use; they go to rest with the next calls.

        rows: all that are in use.
        """
        if self.most is None and most is not None:
            self.most = most
            for profile in rows:
                self.note(profile)
        self.most = most
        if most is None:
            self._queue.clear()
            self._marks.clear()

    def note(self, profile: Profile) -> None:
        """Queue a row that came into use."""
        if self.most is None:
            return
        self._queue.append(profile)
        self._marks.append(profile[NEWEST])

    def wake(self, profile: Profile) -> None:
        """Make a row of a profile at rest, in place. Cost: some microseconds."""
        body = _decode(packed_body(profile))
        row = self._packer.fill(self._head(profile, self._packer.parts), body)
        if self.account is not None:
            self.account.woken(profile)
        profile.clear()
        profile += row  # into an empty list: it takes no more room than it needs
        self.note(profile)

    def make_room(self) -> None:
        """Bring rows to rest until there is room for one more in use.

        Only at the beginning of a call: no row that someone holds may go to rest.
        """
        if self.account is not None:
            self._make_bytes(self.account)
        if self.most is None or len(self._queue) < self.most:
            return
        while len(self._queue) > max(self.most - 1, 0):
            for spared in range(SPARED + 1):
                profile, mark = self._queue.popleft(), self._marks.popleft()
                if not profile:  # forgotten, or merged into another
                    break
                if profile[NEWEST] == mark or spared == SPARED or self.most == 0:
                    self.rest(profile)
                    break
                self.note(profile)

    def rest_all(self) -> None:
        """Bring every queued row to rest. Only between calls."""
        while self._queue:
            profile, _ = self._queue.popleft(), self._marks.popleft()
            if profile:
                self.rest(profile)

    def rest(self, profile: Profile) -> None:
        """Bring a row to rest, in place, whether it is queued or not. Cost: some microseconds."""
        self._settle(profile, self.form(profile))
        if self.account is not None:
            self.account.rested(profile)

    def packed(self, pairs: Iterable[tuple[Plain, Any]]) -> Iterator[tuple[Profile, Profile]]:
        """Yield profiles at rest, each with its header, of (head, packed body) as a snapshot has them."""
        row = self._packer.row
        for head, body in pairs:
            profile = row(head)
            header = profile[: self._end]
            self._settle(profile, self._form(profile, bytes(body)))
            yield profile, header

    def header(self, profile: Profile) -> Profile:
        """Return a row of which only the header may be read; the profile stays as it is."""
        return self._head(profile, ()) if is_at_rest(profile) else profile

    def row(self, profile: Profile) -> Profile:
        """Return a row to be read; the profile stays as it is."""
        if not is_at_rest(profile):
            return profile
        return self._packer.fill(self._head(profile, self._packer.parts), _decode(packed_body(profile)))

    def plain(self, profile: Profile) -> tuple[Plain, Plain]:
        """Return head and body as plain data, which may be shared with a row in use."""
        if is_at_rest(profile):
            return self._packer.head(self._head(profile, ())), _decode(packed_body(profile))
        return self._packer.head(profile), self._packer.body(profile)

    def pack(self, profile: Profile) -> bytes:
        """Return what `Packer.pack` does, of a profile at rest or in use."""
        if is_at_rest(profile):
            head = _encode(self._packer.head(self._head(profile, ())))
            return b"".join((PAIR, head, packed_body(profile)))
        return self._packer.pack(profile)

    def size(self, profile: Profile) -> int:
        """Return how many bytes `pack` has."""
        return len(self.pack(profile))

    def check(self, profiles: Iterable[Profile]) -> None:
        """Assert that every row in use is queued once, and that what is at rest can be read."""
        if self.most is None:
            return
        queued = [id(profile) for profile in self._queue if profile]
        rows = {id(profile) for profile in profiles if not is_at_rest(profile)}
        living = [each for each in queued if each in rows]
        assert len(living) == len(rows) == len(set(living))
        assert not any(profile and is_at_rest(profile) for profile in self._queue)
        assert len(self._queue) == len(self._marks)

    def form(self, profile: Profile) -> tuple[Any, ...]:
        """Return what the list of a row holds when it is at rest; the row stays as it is."""
        return self._form(profile, self._packer.pack_body(profile))

    def merged(self, form: Sequence[Any]) -> int:
        """Return how many merged-away rids a profile has, by what its list holds at rest."""
        absorbed = _decode(memoryview(form[NEWEST])[slice(*_head_of(form[NEWEST]))])[1]
        return 0 if absorbed is None else len(absorbed)

    def _make_bytes(self, account: Account) -> None:
        """Bring rows to rest, those first that were used longest ago, until they keep to their share."""
        while account.is_crowded and self._queue:
            profile, _ = self._queue.popleft(), self._marks.popleft()
            if profile:
                self.rest(profile)

    def _settle(self, profile: Profile, form: tuple[Any, ...]) -> None:
        """Put the packed form into the list of a row."""
        profile.clear()
        profile += form  # into an empty list: it takes no more room than it needs

    def _form(self, profile: Profile, body: bytes) -> tuple[Any, ...]:
        """Return what the list of a row, whose attributes are `body`, holds when it is at rest."""
        newest = profile[NEWEST]
        absorbed = profile[ABSORBED]
        head: list[Any] = [newest - profile[CREATED], None if absorbed is None else packed_rids(absorbed)]
        texts: list[str | None] = []
        for seen in profile[KEYS : self._end]:
            if seen is None:
                head.append(None)
                continue
            texts += seen
            ages = [newest - time for time in seen.values()]
            head.append(ages if len(ages) > 1 else ages[0])
        data = _encode(head)
        packed = b"".join((newest.to_bytes(_NEWEST_BYTES, "big"), *_squeezed(body, newest, data)))
        return (profile[RID], texts[0] if texts else None, packed, *texts[1:])

    def _head(self, profile: Profile, parts: tuple[None, ...]) -> Profile:
        """Return the header of a profile at rest as that of a row, with `parts` behind it."""
        rid, text, packed, *texts = profile
        newest = int.from_bytes(packed[:_NEWEST_BYTES], "big")
        gap, absorbed, *keys = _decode(memoryview(packed)[slice(*_head_of(packed))])
        left = iter([text, *texts])
        held = []
        for ages in keys:
            if ages.__class__ is int:
                held.append({next(left): newest - ages})
            else:
                held.append(ages and {next(left): newest - age for age in ages})
        return [rid, newest - gap, newest, None if absorbed is None else rids_of(absorbed), *held, *parts]


def newest_of(profile: Profile) -> int:
    """Return the time of a profile's newest event, at rest or in use."""
    newest: Any = profile[NEWEST]
    return int.from_bytes(newest[:_NEWEST_BYTES], "big") if newest.__class__ is bytes else newest


def packed_body(profile: Profile) -> bytes:
    """Return the attributes of a profile at rest as a snapshot has them."""
    packed: bytes = profile[NEWEST]
    body = packed[_head_of(packed)[1] :]
    way = packed[_SQUEEZED]
    if way == 0:
        return body
    # The first bytes are in the body wherever their mark is, so they hold none of the other's.
    mark, newest_mark = _MARKS[way - 1]
    newest = b"\xcf\0\0" + packed[:_NEWEST_BYTES]
    return body.replace(mark, newest[:5]).replace(newest_mark, newest)


def _squeezed(body: bytes, newest_ms: int, head: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return what stands behind the time of the newest event: the way, the head's size, head and body.

    Of nine bytes that MessagePack takes for a time, the first five are those of every time within some
    weeks. The newest event's, which stands in most bodies more than once, becomes one byte.
    """
    count = len(head)
    size = bytes([count]) if count < _LONG else bytes([_LONG]) + count.to_bytes(4, "big")
    for way, (mark, newest_mark) in enumerate(_MARKS, 1):
        if mark not in body and newest_mark not in body:
            newest = b"\xcf" + newest_ms.to_bytes(8, "big")
            return bytes([way]), size, head, body.replace(newest, newest_mark).replace(newest[:5], mark)
    return b"\0", size, head, body


def _head_of(packed: bytes) -> tuple[int, int]:
    """Return where the head begins and ends."""
    size = packed[_SIZE]
    if size < _LONG:
        return _SIZE + 1, _SIZE + 1 + size
    begin = _SIZE + 5
    return begin, begin + int.from_bytes(packed[_SIZE + 1 : begin], "big")
