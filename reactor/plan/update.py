"""The update of a profile by one event, as source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from reactor.attributes.counter import CounterSlots, TotalSlots
from reactor.attributes.kind import scaled, to_dtype
from reactor.attributes.lists import ListSlots
from reactor.attributes.single import SingleSlots
from reactor.criteria import Expression, Ref
from reactor.plan.layout import Layout, Slots
from reactor.plan.names import Scribe
from reactor.spec.model import ByKeyEvent, Counter, Total, Trigger
from reactor.values import is_missing, text_fits, usable


class UpdateWriter:
    """Writes the updates that events of one table make.

    flags: key event of the table → source of whether the event is one.
    """

    def __init__(self, scribe: Scribe, flags: dict[str, str]) -> None:
        self.scribe = scribe
        self.source = scribe.source
        self.layout: Layout = scribe.layout
        self.flags = flags
        self._sharing: dict[tuple[object, ...], list[str]] = {}
        for attribute in self.layout.config.attributes.values():
            if isinstance(attribute, Counter | Total) and attribute.increment is not None:
                self._sharing.setdefault(self._adds(attribute), []).append(attribute.name)
        self.numbers = {name: number for number, name in enumerate(self.layout.config.attributes)}

    def write(self) -> set[int]:
        """Write all updates; return the parts that the event may change."""
        touched = set()
        for name, slots in self.layout.slots.items():
            attribute = slots.attribute
            roles = [getattr(attribute, role, ()) for role in ("on", "delete_on", "clear_on")]
            if not any(trigger.key_event in self.flags for triggers in roles for trigger in triggers):
                continue
            part = self.layout.part_of[name]
            touched.add(part)
            self._write_attribute(slots, f"p{part}", self.numbers[name])
        return touched

    def _write_attribute(self, slots: Slots, part: str, number: int) -> None:
        if isinstance(slots, SingleSlots):
            self._write_single(slots, part, number)
        elif isinstance(slots, ListSlots):
            self._write_list(slots, part, number)
        else:
            self._write_counter(slots, part, number)

    # Which expression applies

    def _cases(
        self, triggers: Sequence[Trigger], *maps: ByKeyEvent
    ) -> Iterator[tuple[str, str | None, list[Expression]]]:
        """Yield (condition, flag, expressions) of the triggers on this table, to be tried in order.

        Neighbours that read the same expressions become one case. flag: of the case's one key event.
        """
        mine = [trigger for trigger in triggers if trigger.key_event in self.flags]

        def expressions(trigger: Trigger) -> tuple[str, ...]:
            return tuple(by_key_event[trigger.key_event].text for by_key_event in maps)

        for _, group in groupby(mine, expressions):
            cases = list(group)
            condition = " or ".join(self._holds(trigger) for trigger in cases)
            if "True" in [self._holds(trigger) for trigger in cases]:
                condition = "True"
            flags = {self.flags[trigger.key_event] for trigger in cases}
            flag = flags.pop() if len(flags) == 1 else None
            yield condition, flag, [by_key_event[cases[0].key_event] for by_key_event in maps]

    def _holds(self, trigger: Trigger) -> str:
        flag = self.flags[trigger.key_event]
        if trigger.where is None:
            return flag
        with self.scribe.under(flag):
            where = f"({self.scribe.condition(trigger.where)})"
        return where if flag == "True" else f"({flag} and {where})"

    def _write_cases(self, cases: list[tuple[str, list[str]]]) -> None:
        """Write an if-elif chain of lines; a case that always holds ends it."""
        word = "if"
        for condition, lines in cases:
            if condition == "True" and word == "if":
                self.source.add(*lines)
                return
            with self.source.block("else:" if condition == "True" else f"{word} {condition}:"):
                self.source.add(*lines)
            if condition == "True":
                return
            word = "elif"

    # The kinds

    def _write_single(self, slots: SingleSlots, part: str, number: int) -> None:
        attribute = slots.attribute
        chain = []
        for condition, flag, (expression,) in self._cases(attribute.on, attribute.value):
            with self.source.aside() as lines, self.scribe.under(flag):
                self._write_value(expression, attribute.dtype, number)
            chain.append((condition, lines))
        is_certain = chain[0][0] == "True"
        if not is_certain:
            self.source.add("v = None")
        self._write_cases(chain)
        with self.source.block("if v is not None:"):
            slots.emit_update(self.source, part, "v")

    def _write_value(self, expression: Expression, dtype: str | None, number: int) -> None:
        """Write `v`: a usable value of the dtype (any, if None), or None; count what can't be used."""
        source, scribe = self.source, self.scribe
        source.add(f"v = {scribe.value(expression)}")
        text_bytes = self.layout.config.limits.value_bytes
        column = _plain_column(expression)
        if column is None:
            self._write_fit(expression, text_bytes, number)
        word = "if"
        if column is not None and not column.path and column.name not in self.scribe.table_columns():
            # A column that is there, and yet reads as NULL, can't be used.
            with source.block("if v is None:"):
                missing = f"{source.function(is_missing)}(get({source.constant(column.name)}))"
                source.add(f"if not {missing}: unusable[{number}] += 1")
            word = "elif"
        if expression.type == "untyped" and dtype is not None:
            check = "v is not None" if dtype != "string" else "v is not None and v.__class__ is not str"
            with source.block(f"{word} {check}:"):
                source.add(f"v = {source.function(to_dtype)}(v, {dtype!r}, {text_bytes})")
                source.add(f"if v is None: unusable[{number}] += 1")

    def _write_fit(self, expression: Expression, text_bytes: int, number: int) -> None:
        """Write that a computed value is brought into its one form, or is unusable."""
        source = self.source
        if expression.type == "string":
            fits = f"{source.function(text_fits)}(v, {text_bytes})"
            with source.block(f"if v is not None and not {fits}:"):
                source.add("v = None", f"unusable[{number}] += 1")
        elif expression.type not in ("boolean", "timestamp"):
            source.add(f"v = {source.function(usable)}(v, {text_bytes})")

    def _write_counter(self, slots: CounterSlots | TotalSlots, part: str, number: int) -> None:
        attribute, source = slots.attribute, self.source
        if attribute.increment is None:
            conditions = [condition for condition, _, _ in self._cases(attribute.on)]
            condition = "True" if "True" in conditions else " or ".join(conditions)
            with source.aside() as lines:
                slots.emit_update(source, part, str(10**attribute.decimals))
            self._write_cases([(condition, lines)])
            return
        weight = self._weight(attribute)
        with source.block(f"if {weight}:"):
            slots.emit_update(source, part, weight)

    def _weight(self, attribute: Counter | Total) -> str:
        """Return the local of an increment, as a scaled int or None, and write it where it is new.

        Counters that add the same on the same events share it.
        """
        sharing = self._sharing[self._adds(attribute)]
        weight = f"w{self.numbers[sharing[0]]}"
        if attribute.name != sharing[0]:
            return weight
        source, scale = self.source, 10**attribute.decimals
        assert attribute.increment is not None
        chain = []
        for condition, flag, (expression,) in self._cases(attribute.on, attribute.increment):
            with source.aside() as lines, self.scribe.under(flag):
                source.add(f"{weight} = {source.function(scaled)}({self.scribe.value(expression)}, {scale})")
                counts = [f"unusable[{self.numbers[name]}] += 1" for name in sharing]
                source.add(f"if {weight} is None: {'; '.join(counts)}")
            chain.append((condition, lines))
        if chain[0][0] != "True":
            source.add(f"{weight} = None")
        self._write_cases(chain)
        return weight

    def _adds(self, attribute: Counter | Total) -> tuple[object, ...]:
        """Return what tells whether two counters add the same for an event of this table."""
        increment = attribute.increment or {}
        cases = [
            (trigger.key_event, trigger.where and trigger.where.text, increment[trigger.key_event].text)
            for trigger in attribute.on
            if trigger.key_event in self.flags
        ]
        return (attribute.decimals, *cases)

    def _write_list(self, slots: ListSlots, part: str, number: int) -> None:
        attribute, source = slots.attribute, self.source
        fields = list(attribute.fields.values())
        chain = []
        for condition, flag, (item, *rest) in self._cases(attribute.on, attribute.item, *fields):
            with source.aside() as lines, self.scribe.under(flag):
                self._write_value(item, None, number)
                with source.block("if v is not None:"):
                    self._write_fields(rest)
                    names = [f"f{place}" for place in range(len(rest))]
                    slots.emit_update(source, part, "v", names, f"dropped[{number}]")
            chain.append((condition, lines))
        self._write_cases(chain)
        chain = []
        for condition, flag, (item,) in self._cases(attribute.delete_on, attribute.item):
            with source.aside() as lines, self.scribe.under(flag):
                self._write_value(item, None, number)
                with source.block("if v is not None:"):
                    slots.emit_delete(source, part, "v")
            chain.append((condition, lines))
        self._write_cases(chain)
        clears = [condition for condition, _, _ in self._cases(attribute.clear_on)]
        if clears:
            with source.aside() as lines:
                slots.emit_clear(source, part)
            self._write_cases([("True" if "True" in clears else " or ".join(clears), lines)])

    def _write_fields(self, expressions: list[Expression]) -> None:
        text_bytes = self.layout.config.limits.value_bytes
        for place, expression in enumerate(expressions):
            value = self.scribe.value(expression)
            if _plain_column(expression) is None and expression.type not in ("boolean", "timestamp"):
                value = f"{self.source.function(usable)}({value}, {text_bytes})"
            self.source.add(f"f{place} = {value}")


def _plain_column(expression: Expression) -> Ref | None:
    """Return the column that is all an expression reads, as it is; None for anything else."""
    root = expression.root
    return root if isinstance(root, Ref) and root.kind == "column" else None
