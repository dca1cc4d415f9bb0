"""One generated function per table: from a decoded event to its outcome.

The text of `process`, in order: the time, the columns, the key events, identity, what was
before, the updates, the sections. `evaluate` has the same door and the same sections, and
changes nothing. Names the functions use besides their own locals are bound by the engine;
they are the fields of `Bindings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from reactor.criteria import Ref
from reactor.criteria.tree import LISTS
from reactor.event import event_time
from reactor.identity import CREATED, KEYS, NEWEST, RID
from reactor.payload import Outcome, value_out
from reactor.plan.layout import Layout
from reactor.plan.names import Scribe
from reactor.plan.sections import NOBODY, SectionWriter
from reactor.plan.update import UpdateWriter
from reactor.source import Source
from reactor.spec.model import Section, Table
from reactor.units import MAX_TIME_S

LATE, CLAMPED = 0, 1  # places in the engine's list of counts
RELIEVED = 64  # events of a table after which a bound of memory is seen to; a power of two
ABSENT = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__slots__": ()})()


class TableWriter:
    """Writes the functions for events of one table."""

    def __init__(self, source: Source, layout: Layout, table: Table) -> None:
        self.source = source
        self.layout = layout
        self.config = layout.config
        self.table = table
        # Internal keys join batch rows only.
        self.keys = [(k, key.name) for k, key in enumerate(self.config.keys) if not key.internal]
        limits = self.config.limits
        # Then an event may be refused as late as when it is stitched; nothing is counted before.
        is_full = limits.profiles is not None or limits.memory_bytes is not None
        self._is_refusing = is_full and limits.when_full == "refuse"

    def write_process(self, name: str, number: int, watched: Sequence[Ref] | None = None) -> None:
        """Write `name(event, given, audience) -> Outcome`: join, update, answer.

        number: of the table, for the count of its events.
        watched: names to read as well; the function then returns (outcome, their values).
        """
        source = self.source
        scribe = Scribe(source, self.layout, self.table, has_before=True)
        flags, flag_lines = self._key_events(scribe)
        sections = SectionWriter(scribe, self._sections(scribe, flags), flags)
        with source.aside() as identity:
            self._write_identity(scribe)
        with source.aside() as before:
            sections.write_before()
            scribe.prepare_refs(ref for ref in watched or () if scribe.is_before(ref))
        parts_before = set(scribe.parts)
        with source.aside() as update:
            touched = UpdateWriter(scribe, flags).write()
        with source.aside() as answer:
            sections.write()
        with source.aside() as watch:
            values = self._write_watched(scribe, watched or ())
        with source.block(f"def {name}(event, given, audience):"):
            self._write_door(scribe)
            source.add(*flag_lines)
            scribe.write_guarded_columns(self.config.limits.value_bytes)
            if self.config.limits.memory_bytes is not None:
                source.add(f"if not events[{number}] & {RELIEVED - 1}: relieve()")
            source.add(*identity)
            scribe.write_unset()
            scribe.write_parts(parts_before)
            source.add(*before)
            source.add(f"events[{number}] += 1")
            self._write_touch()
            self._write_touched_parts(touched)
            source.add(*update)
            scribe.write_parts(scribe.parts - touched - parts_before)
            source.add("offers = {}")
            with source.block(f"if audience != {NOBODY}:"):
                source.add(*answer)
            source.add(*watch)
            self._write_outcome("" if watched is None else values)

    def write_evaluate(self, name: str) -> None:
        """Write `name(event, given, audience) -> Outcome`: answer from what is stored, change nothing."""
        source = self.source
        scribe = Scribe(source, self.layout, self.table, has_before=False)
        flags, flag_lines = self._key_events(scribe)
        sections = SectionWriter(scribe, self._sections(scribe, flags), flags)
        with source.aside() as answer:
            sections.write()
        with source.aside() as identifiers:
            self._write_identifiers(scribe)
        with source.block(f"def {name}(event, given, audience):"):
            self._write_door(scribe, is_counting=False)
            source.add(*flag_lines)
            scribe.write_guarded_columns(self.config.limits.value_bytes)
            source.add(*identifiers)
            source.add(f"p, rid, failures = stored({self._values()}, t, odd)")
            source.add(f"now = t if p is None or t > p[{NEWEST}] else p[{NEWEST}]")
            source.add("if given is not None and given > now: now = given")
            source.add("if p is None: p = blank(now)")
            scribe.write_unset()
            scribe.write_parts(scribe.parts)
            source.add("offers = {}")
            source.add(*answer)
            source.add(f"return {source.function(Outcome)}(offers, rid, now, failed(failures, now, event))")

    def write_time(self, name: str) -> None:
        """Write `name(event, given) -> ms` of the event's time."""
        scribe = Scribe(self.source, self.layout, self.table, has_before=False)
        with self.source.block(f"def {name}(event, given):"):
            self._write_time(scribe, is_counting=False)
            self.source.add("return t")

    def write_identifiers(self, name: str) -> None:
        """Write `name(event) -> values`: what `attach` takes, of each key in config order."""
        scribe = Scribe(self.source, self.layout, self.table, has_before=False)
        with self.source.aside() as identifiers:
            self._write_identifiers(scribe)
        with self.source.block(f"def {name}(event):"):
            self.source.add("get = event.get")
            scribe.write_columns(self.config.limits.value_bytes)
            self.source.add(*identifiers, f"return {self._values()}")

    # The door

    def _write_door(self, scribe: Scribe, *, is_counting: bool = True) -> None:
        """Write the reading of the time and of the columns that the later text names."""
        self.source.add("odd = None if are_known(event) else misnamed(event)")
        self._write_time(scribe, is_counting)

    def _write_time(self, scribe: Scribe, is_counting: bool) -> None:
        source = self.source
        source.add("get = event.get")
        time = self._time(scribe)
        scribe.write_columns(self.config.limits.value_bytes)
        source.add(f"t = {time}")
        with source.block(f"if t.__class__ is int and 0 <= t <= {MAX_TIME_S}:"):
            source.add("t *= 1000")
        with source.block("else:"):
            zone = None if self.table.timezone is None else ZoneInfo(self.table.timezone)
            arguments = f"t, {source.constant(self.table.time)}, {source.constant(zone)}, given"
            source.add(f"t = {source.function(event_time)}({arguments})")
        skewed = f"given is not None and t > given + {self.config.limits.clock_skew_ms}"
        if is_counting and self._is_refusing:
            source.add(f"clamped = {skewed}", "if clamped: t = given")
            return
        with source.block(f"if {skewed}:"):
            source.add("t = given")
            if is_counting:
                source.add(f"counts[{CLAMPED}] += 1")

    def _time(self, scribe: Scribe) -> str:
        made = self.table.columns.get(self.table.time)
        if made is None:
            return f"get({self.source.constant(self.table.time)})"
        local = scribe.made_column(self.table.time)
        if made.type == "timestamp":
            # A made timestamp is in ms already; as a double of seconds it takes the common way.
            return f"(None if {local} is None else {local} / 1000)"
        return local

    def _key_events(self, scribe: Scribe) -> tuple[dict[str, str], list[str]]:
        """Return key event → source of its flag, and the lines that set the flags."""
        flags = {}
        with self.source.aside() as lines:
            for key_event in self.config.key_events.values():
                if key_event.table != self.table.name:
                    continue
                flags[key_event.name] = "True"
                if key_event.where is not None:
                    flags[key_event.name] = f"k{len(flags)}"
                    self.source.add(f"{flags[key_event.name]} = {scribe.condition(key_event.where)}")
        return flags, lines

    def _sections(self, scribe: Scribe, flags: dict[str, str]) -> list[tuple[Section, str]]:
        """Return the sections an event of this table may answer, and source of when they are on."""
        found = []
        for section in self.config.sections:
            if section.on is None:
                where = section.where.get("")
                found.append((section, "True" if where is None else f"({scribe.condition(where)})"))
                continue
            mine = [name for name in section.on if name in flags]
            if mine:
                found.append((section, self._trigger(scribe, section, mine, flags)))
        return found

    def _trigger(self, scribe: Scribe, section: Section, names: list[str], flags: dict[str, str]) -> str:
        """Return source of: the first of the section's key events that the event is has its `where` hold."""
        text = ""
        for name in reversed(names):
            flag, where = flags[name], section.where.get(name)
            with scribe.under(flag):
                holds = "True" if where is None else f"({scribe.condition(where)})"
            if flag == "True":
                text = holds
            elif not text:
                text = flag if holds == "True" else f"({flag} and {holds})"
            else:
                text = f"({holds} if {flag} else {text})"
        return text

    # Identity

    # As identity has it, an identifier that is absent is None, and one that is NULL is `NULL`.

    def _values(self) -> str:
        """Return source of the tuple of the locals that hold the identifiers, by key."""
        return (
            f"({''.join('None, ' if key.internal else f'i{k}, ' for k, key in enumerate(self.config.keys))})"
        )

    def _write_identifiers(self, scribe: Scribe) -> None:
        """Write the reading of all identifiers, whoever holds them."""
        for k, name in self.keys:
            if name in self.table.columns:
                self.source.add(f"i{k} = {scribe.made_column(name)}")
            else:
                self.source.add(f"i{k} = get({self.source.constant(name)}, ABSENT)")
                self.source.add(f"if i{k} is ABSENT: i{k} = None", f"elif i{k} is None: i{k} = NULL")

    def _write_identity(self, scribe: Scribe) -> None:
        """Write the look-up of known identifiers; anything new goes the slow way, `attach`."""
        source = self.source
        source.add("p = None", "slow = odd is not None")
        for k, name in self.keys:
            is_made = name in self.table.columns
            read = scribe.made_column(name) if is_made else f"get({source.constant(name)}, ABSENT)"
            source.add(f"i{k} = {read}")
            with source.block(f"if i{k}.__class__ is str:"):
                source.add(f"q = index_{k}(i{k})", "if q is None: slow = True")
                source.add("elif p is None: p = q", "elif q is not p: slow = True")
            if is_made:
                source.add(f"elif i{k} is not None: slow = True")
                continue
            source.add(f"elif i{k} is ABSENT: i{k} = None")
            with source.block("else:"):
                source.add("slow = True", f"if i{k} is None: i{k} = NULL")
        limits = self.config.limits
        if limits.idle_ms is not None:
            newest = f"(awake(p) if p[{NEWEST}].__class__ is bytes else p[{NEWEST}])"
            source.add(f"if p is not None and t - {newest} >= {limits.idle_ms}: slow = True")
        source.add("stitched = None")
        with source.block("if slow:"):
            source.add(f"stitched = attach({self._values()}, t, odd)", "p = stitched.profile")
        if self._is_refusing:
            source.add(f"if clamped: counts[{CLAMPED}] += 1")
        with source.block("if p is None:"):
            source.add("p = blank(t)", "rid = None", "newest = t")
        with source.block("else:"):
            source.add(f"rid = p[{RID}]", f"newest = p[{NEWEST}]")
            source.add("if newest.__class__ is bytes: newest = awake(p)")
            source.add("is_late = t < newest", "if not is_late: newest = t")
        source.add("now = newest if given is None or given < newest else given")

    def _write_touch(self) -> None:
        """Write that the profile and its identifiers were seen at `t`."""
        source = self.source
        with source.block("if rid is not None:"):
            if self.config.limits.memory_bytes is not None:
                source.add("touched.append(p)")
            with source.block("if is_late:"):
                source.add(f"counts[{LATE}] += 1", f"if t < p[{CREATED}]: p[{CREATED}] = t")
                with source.block("if stitched is None:"):
                    for k, _ in self.keys:
                        source.add(
                            f"if i{k} is not None and t > p[{KEYS + k}][i{k}]: p[{KEYS + k}][i{k}] = t"
                        )
            with source.block("else:"):
                source.add(f"p[{NEWEST}] = t")
                with source.block("if stitched is None:"):
                    for k, _ in self.keys:
                        source.add(f"if i{k} is not None: p[{KEYS + k}][i{k}] = t")

    # Parts

    def _write_touched_parts(self, parts: set[int]) -> None:
        for part in sorted(parts):
            self.source.add(f"p{part} = p[{part}]")
            with self.source.block(f"if p{part} is None:"):
                template = self.source.constant(self.layout.templates[part])
                self.source.add(f"p{part} = p[{part}] = {template}.copy()")

    def _write_watched(self, scribe: Scribe, refs: Sequence[Ref]) -> str:
        """Write the reading of names after the update; return source of the tuple of all values."""
        scribe.prepare_refs(ref for ref in refs if not scribe.is_before(ref))
        values = []
        for ref in refs:
            text = scribe.read(ref)
            is_shared = ref.type == "untyped" or ref.type in LISTS
            values.append(f"{self.source.function(value_out)}({text})" if is_shared else text)
        return f"({''.join(value + ', ' for value in values)})"

    def _write_outcome(self, values: str) -> None:
        """Write the return of the outcome; of a tuple of it and of `values`, source of what was watched."""
        outcome = self.source.function(Outcome)
        notes = "None if stitched is None else noted(stitched, now, event)"
        text = f"{outcome}(offers, rid, now, {notes})"
        self.source.add(f"return {text}, {values}" if values else f"return {text}")
