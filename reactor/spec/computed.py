"""Attributes: all kinds in the order of the file, then the computed ones after what they read."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from reactor.criteria import Expression, Name
from reactor.spec import raw
from reactor.spec.context import Context
from reactor.spec.expressions import ANY_VALUE, base_names, compile_at, sql_text
from reactor.spec.kinds import (
    resolve_counter,
    resolve_imported,
    resolve_list,
    resolve_single,
    resolve_total,
)
from reactor.spec.model import Attribute, Computed
from reactor.spec.naming import check_name
from reactor.spec.node import Path, quoted

_PATH: Path = ("attributes",)


def resolve_attributes(
    context: Context, entries: dict[str, raw.AttributeEntry] | UnsetType
) -> tuple[str, ...]:
    """Resolve the attributes; return the computed ones, each after those it reads."""
    entries = {} if entries is UNSET else entries
    for name in sorted(context.report.broken_under(_PATH)):
        context.unsure.add(name)
    for key in context.keys:
        context.declare(key, key, Name("strings"))
    for name in entries:
        _check_attribute_name(context, name)
    # Imported ones come first, for a backfill names them.
    for name, entry in entries.items():
        if isinstance(entry, raw.Imported):
            context.attributes[name] = resolve_imported(context, (*_PATH, name), name, entry)
    for name, entry in entries.items():
        attribute = _resolve(context, (*_PATH, name), name, entry)
        if attribute is not None:
            context.attributes[name] = attribute
    order = _resolve_computed(context, {n: e for n, e in entries.items() if isinstance(e, raw.Computed)})
    _restore_order(context, entries)
    _check_keys(context)
    if len(context.attributes) > context.limits.attributes:
        message = f"expected at most {context.limits.attributes} attributes, got {len(context.attributes)}"
        context.report.error(_PATH, message, "raise it with limits.attributes")
    return order


def _check_attribute_name(context: Context, name: str) -> None:
    path = (*_PATH, name)
    check_name(context.report, path, "an attribute", context.limits.name)
    if name in context.keys:
        message = f"expected another name for an attribute: {quoted(name)} is a stitching key"
        context.report.error(path, message, key=True)


def _resolve(context: Context, path: Path, name: str, entry: raw.AttributeEntry) -> Attribute | None:
    if isinstance(entry, raw.Single):
        return resolve_single(context, path, name, entry)
    if isinstance(entry, raw.ListAttribute):
        return resolve_list(context, path, name, entry)
    if isinstance(entry, raw.Counter):
        return resolve_counter(context, path, name, entry)
    if isinstance(entry, raw.Total):
        return resolve_total(context, path, name, entry)
    return None


def _restore_order(context: Context, entries: dict[str, raw.AttributeEntry]) -> None:
    """Put attributes and names in the order of the file; keys and undeclared imports come last."""
    found = context.attributes
    context.attributes = {name: found[name] for name in (*entries, *found) if name in found}
    by_owner: dict[str, list[str]] = {}
    for name, owner in context.owners.items():
        by_owner.setdefault(owner, []).append(name)
    ordered = {name: context.names[name] for owner in context.attributes for name in by_owner.get(owner, [])}
    ordered |= context.names
    context.names.clear()  # the scopes hold this very mapping
    context.names.update(ordered)


def _check_keys(context: Context) -> None:
    """Refuse a key whose name is that of a part, as `visits.day`."""
    for key in context.keys:
        if context.owners.get(key) != key and key in context.owners:
            message = f"expected another name for a stitching key: {quoted(key)} is a part of an attribute"
            context.report.error(("identity", "keys", key), message, key=True)


def _resolve_computed(context: Context, entries: dict[str, raw.Computed]) -> tuple[str, ...]:
    needs = {name: _needs(entry, entries) for name, entry in entries.items()}
    order, cyclic = _sorted(needs)
    for cycle in cyclic:
        path = (*_PATH, cycle[0], "value")
        names = cycle if len(cycle) <= 12 else [*cycle[:10], "…", cycle[-1]]
        message = f"expected a computed attribute that does not read itself, got {' → '.join(names)}"
        context.report.error(path, message)
    circling = set(entries) - set(order)
    context.unsure |= circling
    for name in order:
        _resolve_one(context, name, entries[name])
    return tuple(name for name in order if name in context.attributes)


def _needs(entry: raw.Computed, entries: dict[str, raw.Computed]) -> list[str]:
    if entry.value is UNSET:
        return []
    return sorted(name for name in base_names(sql_text(entry.value)) if name in entries)


def _sorted(needs: dict[str, list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return the names, each after those it needs, less those on or behind a cycle; and the cycles.

    >>> _sorted({"a": ["b"], "b": [], "c": ["d"], "d": ["c"]})
    (['b', 'a'], [['c', 'd', 'c']])
    """
    waiting = {name: len(others) for name, others in needs.items()}
    readers: dict[str, list[str]] = {name: [] for name in needs}
    for name, others in needs.items():
        for other in others:
            readers[other].append(name)
    order = [name for name, count in waiting.items() if count == 0]
    for name in order:  # grows while it is walked
        for reader in readers[name]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                order.append(reader)
    return order, _cycles({name: needs[name] for name, count in waiting.items() if count > 0})


def _cycles(needs: dict[str, list[str]]) -> list[list[str]]:
    """Return cycles of names that all need another one; one for each way in."""
    cycles = []
    seen: set[str] = set()
    for start in needs:
        trail: dict[str, None] = {}
        name = start
        while name not in seen:
            seen.add(name)
            trail[name] = None
            name = next(other for other in needs[name] if other in needs)
        if name in trail:
            names = list(trail)
            cycles.append([*names[names.index(name) :], name])
    return cycles


def _resolve_one(context: Context, name: str, entry: raw.Computed) -> None:
    path = (*_PATH, name, "value")
    expression: Expression | None = None
    if entry.value is not UNSET:
        expression = compile_at(context, path, entry.value, context.profile_scope(None), ANY_VALUE)
    if expression is None:
        context.unsure.add(name)
        return
    reads = [ref.name for ref in context.profile_refs(expression)]
    owners = {context.owners[read] for read in reads}
    if not owners.isdisjoint(context.keys) or not owners.isdisjoint(context.key_readers):
        context.key_readers.add(name)
    sensitive = any(context.is_sensitive(read) for read in reads)
    context.attributes[name] = Computed(name, expression, sensitive)
    context.declare(name, name, Name(expression.type, expression.nullable))
