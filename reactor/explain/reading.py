"""Names at a time: what each comes to, on the profile with the event and on the one without it.

One small function a name, written as the plan writes its own reads: an explanation reads what the
engine reads. They are compiled when an engine is first asked to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from reactor.criteria import Ref
from reactor.explain.columns import Columns
from reactor.identity import Profile
from reactor.plan.layout import Layout
from reactor.plan.names import Scribe
from reactor.source import Source

Reader: TypeAlias = Callable[[Profile, int], Any]
RowAt: TypeAlias = Callable[[int], Profile]


def readers(
    refs: Iterable[Ref], layout: Layout, read_batch: Callable[..., Any]
) -> dict[tuple[str, str], Reader]:
    """Return (kind, name) → a function of a row and a time, for names of the profile and segments."""
    source = Source()
    names: dict[tuple[str, str], str] = {}
    for ref in refs:
        key = (ref.kind, ref.name)
        if ref.kind in ("column", "now") or key in names:
            continue
        names[key] = f"read_{len(names)}"
        plain = Ref(ref.kind, ref.name, ref.type, ref.nullable)
        scribe = Scribe(source, layout, None, has_before=False)
        with source.aside() as lines:
            scribe.prepare_refs([plain])
            source.add(f"return {scribe.read(plain)}")
        with source.block(f"def {names[key]}(p, now):"):
            scribe.write_unset()
            scribe.write_parts(scribe.parts)
            source.add(*lines)
        source.add("", "")
    space = source.load({"read_batch": read_batch})
    return {key: space[name] for key, name in names.items()}


class Sight:
    """What one event, or one read, sees.

    before, after: the row at a time, without the event and with it.
    """

    def __init__(
        self,
        columns: Columns,
        before: RowAt,
        after: RowAt,
        reads: dict[tuple[str, str], Reader],
    ) -> None:
        self.columns = columns
        self.before = before
        self.after = after
        self._reads = reads
        self._columns: dict[Ref, Any] = {}

    def at(self, now_ms: int) -> Callable[[Ref], Any]:
        """Return a function that gives the value of a name at a time."""
        seen = dict(self._columns)
        reads = self._reads

        def read(ref: Ref) -> Any:
            if ref in seen:
                return seen[ref]
            if ref.kind == "now":
                value: Any = now_ms
            elif ref.kind == "column":
                value = self._columns[ref] = self.columns.read(ref)
            else:
                row = self.before(now_ms) if ref.before else self.after(now_ms)
                value = reads[ref.kind, ref.name](row, now_ms)
            seen[ref] = value
            return value

        return read

    def value(self, ref: Ref, now_ms: int) -> Any:
        """Return the value of one name at a time, remembering nothing."""
        if ref.kind == "now":
            return now_ms
        if ref.kind == "column":
            if ref not in self._columns:
                self._columns[ref] = self.columns.read(ref)
            return self._columns[ref]
        row = self.before(now_ms) if ref.before else self.after(now_ms)
        return self._reads[ref.kind, ref.name](row, now_ms)
