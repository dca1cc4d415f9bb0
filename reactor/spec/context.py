"""What is known so far while a config is resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reactor.criteria import Expression, Name, Ref, Scope
from reactor.spec.model import (
    Attribute,
    Computed,
    Imported,
    Key,
    KeyEvent,
    Limits,
    ListAttribute,
    Single,
    Table,
)
from reactor.spec.node import Path
from reactor.spec.report import Report

# A text that several key events share is compiled once for each table.
CompileKey = tuple[str, str, int]


class Context:
    """The parts of a config that are resolved, and the names they make.

    key_events: by name; None for one that is declared, but broken.
    names: names of the profile, as criteria see them.
    owners: each of these names → the attribute or stitching key it belongs to.
    unsure: attributes of which the type or the parts are not known, because their entry is broken:
        an error in an expression that names one may be only a consequence.
    key_readers: computed attributes that read a stitching key.
    unwritten: what has a sensitivity that nobody wrote → the path where it could be.
    """

    def __init__(self, report: Report, limits: Limits, environ: Mapping[str, str]) -> None:
        self.report = report
        self.limits = limits
        self.environ = environ
        self.tables: dict[str, Table] = {}
        self.keys: dict[str, Key] = {}
        self.key_events: dict[str, KeyEvent | None] = {}
        self.attributes: dict[str, Attribute] = {}
        self.segments: dict[str, str] = {}
        self.segment_ids: frozenset[str] = frozenset()
        self.names: dict[str, Name] = {}
        self.owners: dict[str, str] = {}
        self.unsure: set[str] = set()
        self.key_readers: set[str] = set()
        self.unwritten: dict[str, Path] = {}
        self.compiled: dict[CompileKey, Expression | None] = {}
        # Scopes are kept, because `compiled` knows them by identity.
        self.raw_scope = Scope(columns={}, bare=True)
        self._event_scopes: dict[str | None, Scope] = {}
        self._profile_scopes: dict[tuple[tuple[str, Name], ...] | None, Scope] = {}

    def given(self, path: Path) -> bool:
        """Tell whether the file says anything at `path`."""
        return self.report.root.find(path) is not None

    def declare(self, owner: str, name: str, kind: Name) -> None:
        """Add a name of the profile."""
        self.names[name] = kind
        self.owners[name] = owner

    def event_scope(self, table: str | None) -> Scope:
        """Return the names of an expression over an event of `table`; None where it is not known."""
        scope = self._event_scopes.get(table)
        if scope is None:
            made = self.tables[table].columns if table in self.tables else {}
            columns = {name: Name(made[name].type, made[name].nullable) for name in made}
            scope = self._event_scopes[table] = Scope(columns=columns, bare=True)
        return scope

    def profile_scope(self, columns: Mapping[str, Name] | None) -> Scope:
        """Return the names of an expression over the profile; `columns` as in `Scope`."""
        key = None if columns is None else tuple(sorted(columns.items(), key=lambda item: item[0]))
        if key not in self._profile_scopes:
            self._profile_scopes[key] = Scope(
                names=self.names, columns=columns, before=True, now=True, segments=self.segment_ids
            )
        return self._profile_scopes[key]

    def table_of(self, key_event: str) -> str | None:
        """Return the table of a key event; None when it is broken."""
        event = self.key_events.get(key_event)
        return event.table if event is not None else None

    def profile_refs(self, expression: Expression) -> Iterable[Ref]:
        """Return what an expression reads of the profile."""
        return (ref for ref in expression.refs if ref.kind == "profile")

    def is_sensitive(self, name: str) -> bool:
        """Tell whether reading a name of the profile reads something sensitive."""
        owner = self.owners[name]
        if owner in self.keys:
            return True
        attribute = self.attributes.get(owner)
        if isinstance(attribute, ListAttribute):
            aggregation = attribute.aggregations.get(name.removeprefix(f"{owner}."))
            return aggregation is not None and aggregation.sensitive
        return isinstance(attribute, Single | Imported | Computed) and attribute.sensitive
