"""A profile as bytes: canonical, the same whatever the way it became what it is.

A packed profile is one MessagePack array of two:

    head  [rid in 16 bytes, newest, created, absorbed, key 0, ..., key K-1]
    body  [state of attribute 0, ..., state of attribute A-1]

`absorbed` and keys are None, or maps to times in the order of their rids (in bytes) or values.
Attributes stand in the layout's order, each as its kind packs it, or None. Everything is as of the
profile's newest event: what had expired by then is left out. Sums beyond 64 bits are bytes.

Packing mostly names lists that the row has anyway, and unpacking puts those that were decoded into
a row: what differs between a row and its one canonical form is the exception.

The functions are generated for a layout, as those of the plan are: no kind is asked at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from reactor.attributes.counter import CounterSlots, TotalSlots, widened
from reactor.identity import KEYS, NEWEST, Profile
from reactor.plan import Layout
from reactor.source import Source

Plain: TypeAlias = Any  # a sequence of what MessagePack knows

RID_BYTES: Final = 16
HEAD_RID, HEAD_NEWEST, HEAD_CREATED, HEAD_ABSORBED, HEAD_KEYS = range(5)  # places in a head
PAIR: Final = b"\x92"  # an array of two, in MessagePack

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Packer:
    """Packs and unpacks the profiles of a layout.

    parts: what a row has behind its header, where no attribute was ever touched.
    head, body: profile → plain data. row: head → a profile without attributes. fill: writes the
        attributes of a body into such a profile, and returns it. Plain data shares its lists and
        dicts with the profile: on both ways only one of the two may be used afterwards.
    """

    def __init__(self, layout: Layout) -> None:
        self._sums = [isinstance(slots, CounterSlots | TotalSlots) for slots in layout.slots.values()]
        source = Source()
        for write in _write_packing, _write_row, _write_fill:
            write(source, layout)
            source.add("", "")
        self.parts = (None,) * len(layout.templates)
        space = source.load()
        self.head: Callable[[Profile], Plain] = space["head"]
        self.body: Callable[[Profile], Plain] = space["body"]
        self._plain: Callable[[Profile], Plain] = space["plain"]
        self.row: Callable[[Plain], Profile] = space["row"]
        self.fill: Callable[[Profile, Plain], Profile] = space["fill"]

    def pack(self, profile: Profile) -> bytes:
        """Return the profile as bytes, as of its newest event. Cost: microseconds."""
        plain = self._plain(profile)
        try:
            return _encode(plain)
        except OverflowError:
            pass
        head, body = plain
        return _encode((head, self._widened(body)))

    def pack_some(self, profiles: Sequence[Profile]) -> bytes:
        """Return profiles, packed, one behind the other; cheaper than one by one."""
        plain = self._plain
        try:
            data = _encode([plain(profile) for profile in profiles])
        except OverflowError:
            pass
        else:
            return data[_array_head_bytes(len(profiles)) :]
        return b"".join(map(self.pack, profiles))

    def unpack(self, data: bytes) -> Profile:
        """Return a profile that reads as the one that was packed, at any time from its newest event on.

        data: what `pack` returned; anything else raises errors of many kinds.
        """
        head, body = _decode(data)
        return self.fill(self.row(head), body)

    def pack_head(self, profile: Profile) -> bytes:
        """Return the header and the identifiers as bytes, with which a packed profile begins."""
        return PAIR + _encode(self.head(profile))

    def pack_body(self, profile: Profile) -> bytes:
        """Return the attributes alone: `pack_head(p) + pack_body(p) == pack(p)`."""
        body = self.body(profile)
        try:
            return _encode(body)
        except OverflowError:
            pass
        return _encode(self._widened(body))

    def _widened(self, body: Plain) -> Plain:
        return [widened(state) if is_sum else state for state, is_sum in zip(body, self._sums, strict=True)]


def _array_head_bytes(count: int) -> int:
    """Return how many bytes MessagePack writes before the elements of an array."""
    return 1 if count < 16 else 3 if count < 1 << 16 else 5


def in_order(seen: dict[str, int]) -> dict[str, int]:
    """Return the dict in the order of its values' texts."""
    return {value: seen[value] for value in sorted(seen)}


def packed_rids(absorbed: dict[int, int]) -> dict[bytes, int]:
    """Return the dict in the order of its rids, which are bytes."""
    return {rid.to_bytes(RID_BYTES, "big"): absorbed[rid] for rid in sorted(absorbed)}


def rids_of(absorbed: dict[bytes, int]) -> dict[int, int]:
    """Return the dict that `packed_rids` was given."""
    return {int.from_bytes(rid, "big"): time for rid, time in absorbed.items()}


def _write_packing(source: Source, layout: Layout) -> None:
    """Write `head`, `body`, and `plain`, which is both in one call."""
    with source.aside() as head_lines:
        head = _write_head(source, layout)
    with source.aside() as body_lines:
        body = _write_body(source, layout)
    functions = {"head": (head_lines, head), "body": (body_lines, body)}
    functions["plain"] = ([*head_lines, *body_lines], f"({head}), ({body})")
    for name, (lines, result) in functions.items():
        with source.block(f"def {name}(p):"):
            source.add(*lines, f"return {result}")
        source.add("", "")


def _write_head(source: Source, layout: Layout) -> str:
    """Write the locals that a head is made of; return source of the head."""
    keys = list(layout.key_slot.values())
    names = "".join(f", k{slot}" for slot in keys)
    source.add(f"rid, created, newest, absorbed{names} = p[:{KEYS + len(keys)}]")
    source.add(f"if absorbed is not None: absorbed = {source.function(packed_rids)}(absorbed)")
    function = source.function(in_order)
    for slot in keys:
        source.add(f"if k{slot} is not None and len(k{slot}) > 1: k{slot} = {function}(k{slot})")
    return f"rid.to_bytes({RID_BYTES}, 'big'), newest, created, absorbed{names}"


def _write_body(source: Source, layout: Layout) -> str:
    """Write the locals that hold the states; return source of the body."""
    states = {name: f"s{number}" for number, name in enumerate(layout.slots)}
    if states:
        source.add(f"newest = p[{NEWEST}]", f"{' = '.join(states.values())} = None")
    for part in layout.templates:
        source.add(f"a = p[{part}]")
        with source.block("if a is not None:"):
            for name, slots in layout.slots.items():
                if layout.part_of[name] == part:
                    slots.emit_pack(source, "a", states[name])
    return "".join(f"{state}, " for state in states.values()) or "()"


def _write_row(source: Source, layout: Layout) -> None:
    with source.block("def row(head):"):
        names = "".join(f", k{slot}" for slot in layout.key_slot.values())
        source.add(f"rid, newest, created, absorbed{names} = head")
        source.add(f"if absorbed is not None: absorbed = {source.function(rids_of)}(absorbed)")
        number = source.function(int.from_bytes)
        parts = ", None" * len(layout.templates)
        source.add(f"return [{number}(rid, 'big'), created, newest, absorbed{names}{parts}]")


def _write_fill(source: Source, layout: Layout) -> None:
    states = {name: f"s{number}" for number, name in enumerate(layout.slots)}
    with source.block("def fill(p, states):"):
        source.add(f"[{', '.join(states.values())}] = states")
        for part, template in layout.templates.items():
            mine = {name: slots for name, slots in layout.slots.items() if layout.part_of[name] == part}
            is_untouched = " is ".join([*(states[name] for name in mine), "None"])
            with source.block(f"if not ({is_untouched}):"):
                source.add(f"a = p[{part}] = {source.constant(template)}.copy()")
                for name, slots in mine.items():
                    with source.block(f"if {states[name]} is not None:"):
                        slots.emit_unpack(source, "a", states[name])
        source.add("return p")
