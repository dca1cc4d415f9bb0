"""Names of the config as names of generated code.

`Scribe` writes one generated function: it knows which local holds which column, how every
name of the profile is read, and what has been read already. A read that several expressions
use, and every computed attribute, is done at most once: its local starts as UNSET and is
filled where it is first needed.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from reactor.attributes.counter import CounterSlots, TotalSlots
from reactor.attributes.kind import Reads
from reactor.attributes.lists import ListSlots
from reactor.attributes.single import SingleSlots
from reactor.criteria import Expression, Ref, emit_condition, emit_value
from reactor.event import nested
from reactor.identity import KEYS
from reactor.plan.layout import Layout
from reactor.source import Source
from reactor.spec.model import Attribute, Computed, Imported, Table
from reactor.units import format_time
from reactor.values import canonical, text_fits, usable, usable_scalar

UNSET: Final = type("Unset", (), {"__repr__": lambda self: "UNSET", "__slots__": ()})()


def as_untyped_time(time_ms: int | None) -> str | None:
    """Return a made timestamp as text, for places that take the column for an untyped one."""
    return None if time_ms is None else format_time(time_ms)


class Scribe:
    """Writes names into one function. It is the `Names` that criteria are emitted with.

    table: whose columns a bare name means; None for a read without an event, when every column
        is NULL. has_before: whether the function reads profiles before they change; else
        `before.X` is X.
    """

    def __init__(self, source: Source, layout: Layout, table: Table | None, *, has_before: bool) -> None:
        self.source = source
        self.layout = layout
        self.table = table
        self.has_before = has_before
        self.raw: dict[tuple[str, tuple[str, ...]], str] = {}
        self._guards: dict[str, set[str | None]] = {}
        self._guard: str | None = None
        self.made: dict[str, str] = {}
        self.parts: set[int] = set()
        self.uses: Tally[tuple[str, bool]] = Tally()
        self._memo: dict[tuple[str, bool], str] = {}
        self._prepared: set[tuple[str, bool]] = set()
        self._before = False
        self.constant = source.constant
        self.function = source.function
        self.temp = source.temp

    # What criteria ask

    def read(self, ref: Ref) -> str:
        """Return source of what a name yields."""
        if ref.kind == "column":
            return self._column(ref)
        if ref.kind == "now":
            return "now"
        before = self.is_before(ref)
        if ref.kind == "segment":
            batch = self._memo[("", True)] if before else self.batch()
            return f"({self.constant(ref.name)} in {batch}[{self.layout.segments_at}])"
        key = (ref.name, before)
        if before or isinstance(self._attribute(ref.name), Computed):
            return self._memo[key]  # `prepare` has filled it
        text = self._profile_read(ref.name, before=False)
        return self._once(key, text) if self.uses[key] > 1 and not self._is_plain(ref.name) else text

    def is_before(self, ref: Ref) -> bool:
        """Tell whether a name is to be read as it was before the event."""
        return self.has_before and (ref.before or self._before)

    def condition(self, expression: Expression | None) -> str:
        """Return source that is truthy if the condition holds; an absent one always does."""
        return "True" if expression is None else emit_condition(expression, self)

    def value(self, expression: Expression) -> str:
        """Return source of the expression's value, or None."""
        return emit_value(expression, self)

    # Columns

    def _column(self, ref: Ref) -> str:
        if self.table is None:
            return "None"
        made = None if ref.path else self.table.columns.get(ref.name)
        if made is None:
            return self.raw_column(ref.name, ref.path)
        local = self.made_column(ref.name)
        if made.type == "timestamp" and ref.type == "untyped":
            return f"{self.function(as_untyped_time)}({local})"
        return local

    def made_column(self, name: str) -> str:
        """Return the local that holds a made column."""
        return self.made.setdefault(name, f"d{len(self.made)}")

    def table_columns(self) -> Mapping[str, Expression]:
        """Return the made columns of the table."""
        return {} if self.table is None else self.table.columns

    def raw_column(self, name: str, path: tuple[str, ...] = ()) -> str:
        """Return the local that holds one of the event's own columns, or a field of an object in it."""
        local = self.raw.setdefault((name, path), f"c{len(self.raw)}")
        self._guards.setdefault(local, set()).add(self._guard)
        return local

    @contextmanager
    def under(self, flag: str | None) -> Iterator[None]:
        """Note that what is written inside runs only where `flag`, the local of a key event, holds.

        A column that is read under one flag only need not be looked at for other events.
        """
        kept, self._guard = self._guard, None if flag == "True" else flag
        yield
        self._guard = kept

    def write_columns(self, text_bytes: int) -> None:
        """Write the reading of every column named so far, as usable values; made columns last.

        Columns that only one key event needs are left to `write_guarded_columns`.
        """
        assert self.table is not None
        with self.source.aside() as made_lines:
            for name, local in self.made.items():
                self._write_made(self.table.columns[name], local, text_bytes)
        self._write_raw_under(None, text_bytes)
        self.source.add(*made_lines)

    def write_guarded_columns(self, text_bytes: int) -> None:
        """Write the reading of columns that one key event needs; for other events they are None."""
        flags = {self._guard_of(local) for local in self.raw.values()} - {None}
        for flag in sorted(flag for flag in flags if flag is not None):
            with self.source.block(f"if {flag}:"):
                names = self._write_raw_under(flag, text_bytes)
            with self.source.block("else:"):
                self.source.add(" = ".join([*names, "None"]))

    def _guard_of(self, local: str) -> str | None:
        guards = self._guards[local]
        return next(iter(guards)) if len(guards) == 1 else None

    def _write_raw_under(self, flag: str | None, text_bytes: int) -> list[str]:
        """Write the reading of the columns under a flag; return their locals."""
        found = [(key, local) for key, local in self.raw.items() if self._guard_of(local) == flag]
        for (name, path), local in found:
            self._write_raw(name, path, local, text_bytes)
        return [local for _, local in found]

    def _write_made(self, expression: Expression, local: str, text_bytes: int) -> None:
        source = self.source
        source.add(f"{local} = {emit_value(expression, _OwnColumns(self))}")
        if expression.type == "string":
            fits = f"{source.function(text_fits)}({local}, {text_bytes})"
            source.add(f"if {local} is not None and not {fits}: {local} = None")
        elif expression.type not in ("number", "boolean", "timestamp"):
            source.add(f"{local} = {source.function(usable)}({local}, {text_bytes})")

    def _write_raw(self, name: str, path: tuple[str, ...], local: str, text_bytes: int) -> None:
        source, get = self.source, f"get({self.constant(name)})"
        if path:
            source.add(f"{local} = {source.function(nested)}({get}, {self.constant(path)}, {text_bytes})")
            return
        source.add(f"{local} = {get}")
        with source.block(f"if {local}.__class__ is str:"):
            fits = f"{local}.isascii() and len({local}) <= {text_bytes}"
            scalar = f"{source.function(usable_scalar)}({local}, {text_bytes})"
            source.add(f"if not ({fits}): {local} = {scalar}")
        with source.block(f"elif {local}.__class__ is float:"):
            source.add(f"{local} = {source.function(canonical)}({local})")
        with source.block(f"elif {local} is not None:"):
            source.add(f"{local} = {source.function(usable)}({local}, {text_bytes})")

    # The profile

    def _profile_read(self, name: str, before: bool) -> str:
        key = self.layout.key_slot.get(name)
        if key is not None:
            if before:
                return self._seen_before(key)
            return f"(p[{key}] or None)"
        base, _, sub = name.partition(".")
        attribute = self.layout.config.attributes[base]
        if isinstance(attribute, Imported):
            return f"{self.batch(before=before)}[{self.layout.imported[base]}]"
        slots, part = self.layout.slots[base], self.layout.part_of[base]
        self.parts.add(part)
        imported = self.layout.imported
        reads = Reads(
            self.source, f"p{part}", "now", lambda column: f"{self.batch(before=before)}[{imported[column]}]"
        )
        return _emit_part(slots, sub, reads)

    def use(self, expressions: Iterable[Expression]) -> None:
        """Count the uses of every name in expressions that will be written later."""
        for expression in expressions:
            for ref in expression.refs:
                if ref.kind != "column" and ref.kind != "now":
                    self._count(ref)

    def _count(self, ref: Ref) -> None:
        key = ("" if ref.kind == "segment" else ref.name, self.is_before(ref))
        self.uses[key] += 1
        attribute = self.layout.config.attributes.get(key[0])
        if isinstance(attribute, Computed) and self.uses[key] == 1:
            self._in_time_of(ref, lambda: self.use([attribute.value]))

    def _in_time_of(self, ref: Ref, action: Callable[[], None]) -> None:
        """Run `action` with plain names meaning what they were before the event, if `ref` does."""
        kept, self._before = self._before, self._before or ref.before
        action()
        self._before = kept

    def prepare(
        self, expressions: Iterable[Expression], *, before: bool = False, inside: bool = False
    ) -> None:
        """Write what must be read ahead of expressions.

        before: which side of the event. inside: what the last call wrote holds here too.
        """
        if not inside:
            self._prepared.clear()
        refs = [ref for expression in expressions for ref in expression.refs]
        self._prepare_all(ref for ref in refs if self.is_before(ref) == before)

    def prepare_refs(self, refs: Iterable[Ref]) -> None:
        """Write what must be read ahead of names."""
        self._prepared.clear()
        self._prepare_all(refs)

    def _prepare_all(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            if ref.kind in ("profile", "segment"):
                self._prepare(ref)

    def _prepare(self, ref: Ref) -> None:
        before = self.is_before(ref)
        attribute = self._attribute(ref.name) if ref.kind == "profile" else None
        if (ref.name, before) in self._prepared:
            return
        self._prepared.add((ref.name, before))
        if isinstance(attribute, Computed):
            self._in_time_of(ref, lambda: self._prepare_computed(attribute, before))
        elif before:
            # What was before must be read then, wanted or not.
            if ref.kind == "segment" or isinstance(attribute, Imported):
                self._fill(("", True), self._batch_read(before=True))
            if ref.kind == "profile":
                self._fill((ref.name, True), self._profile_read(ref.name, before=True))

    def _prepare_computed(self, attribute: Computed, before: bool) -> None:
        for ref in attribute.value.refs:
            if ref.kind in ("profile", "segment"):
                self._prepare(ref)
        self._fill((attribute.name, before), emit_value(attribute.value, self))

    def _fill(self, key: tuple[str, bool], text: str) -> None:
        """Write that the local of `key` is filled by `text`, unless it has been."""
        local = self._local(key)
        with self.source.block(f"if {local} is {self.constant(UNSET)}:"):
            self.source.add(f"{local} = {text}")

    def _local(self, key: tuple[str, bool]) -> str:
        return self._memo.setdefault(key, f"{'b' if key[1] else 'm'}{len(self._memo)}")

    def _once(self, key: tuple[str, bool], text: str) -> str:
        """Return source that reads the local of `key`, and fills it by `text` where it has not been."""
        is_first = key not in self._memo
        local = self._local(key)
        if is_first:
            # What is written first runs first, or is run again later to the same effect.
            return f"({local} := {text})"
        return f"({local} if {local} is not {self.constant(UNSET)} else ({local} := {text}))"

    def batch(self, *, before: bool = False) -> str:
        """Return source of the profile's batch row."""
        return self._once(("", before), self._batch_read(before))

    def _batch_read(self, before: bool) -> str:
        lookup = self.layout.config.lookup_key
        if lookup is None:
            return self.constant(self.layout.empty_batch_row())
        slot = self.layout.key_slot[lookup]
        return f"read_batch({self._seen_before(slot) if before else f'p[{slot}]'}, now)"

    def _seen_before(self, key_slot: int) -> str:
        """Return source of a key's values and the times they were last seen, without this event."""
        return f"(p[{key_slot}] if stitched is None else seen_before(stitched, {key_slot - KEYS}))"

    def _attribute(self, name: str) -> Attribute | None:
        """Return the attribute that a name, or its part, belongs to; None for a key."""
        if name in self.layout.key_slot:
            return None
        return self.layout.config.attributes.get(name.partition(".")[0])

    def _is_plain(self, name: str) -> bool:
        """Tell whether reading a name is one look into a list, not worth a local."""
        attribute = self._attribute(name)
        if attribute is None or isinstance(attribute, Imported):
            return True
        slots = self.layout.slots.get(name)
        return (
            isinstance(slots, SingleSlots)
            and slots.attribute.ttl_ms is None
            and slots.attribute.backfill is None
        )

    def write_parts(self, parts: Iterable[int]) -> None:
        """Write the reading of parts of the profile `p`; one never touched reads as its template."""
        for part in sorted(parts):
            self.source.add(f"p{part} = p[{part}] or {self.constant(self.layout.templates[part])}")

    def write_unset(self) -> None:
        """Write the locals that `prepare` fills, as UNSET."""
        if self._memo:
            self.source.add(" = ".join(self._memo.values()) + f" = {self.constant(UNSET)}")


def _emit_part(slots: Any, sub: str, reads: Reads) -> str:
    """Return source of an attribute (sub is "") or of the part or time that `sub` names."""
    if isinstance(slots, SingleSlots):
        return slots.emit_time(reads) if sub else slots.emit_value(reads)
    if isinstance(slots, ListSlots):
        return slots.emit_aggregation(reads, slots.attribute.aggregations[sub])
    if isinstance(slots, TotalSlots):
        return slots.emit_value(reads)
    assert isinstance(slots, CounterSlots)
    window = next(window for window in slots.attribute.windows if (window.name or "") == sub)
    return slots.emit_window(reads, window)


class _OwnColumns:
    """The names of a made column's expression: the event's own columns, never made ones."""

    def __init__(self, scribe: Scribe) -> None:
        self.constant = scribe.constant
        self.function = scribe.function
        self.temp = scribe.temp
        self._raw_column = scribe.raw_column
        self._under = scribe.under

    def read(self, ref: Ref) -> str:
        with self._under(None):
            return self._raw_column(ref.name, ref.path)
