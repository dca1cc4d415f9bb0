"""The way in: a source to a config, or all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import UNSET

from reactor.spec import model, raw
from reactor.spec.computed import resolve_attributes
from reactor.spec.context import Context
from reactor.spec.convert import convert
from reactor.spec.ground import (
    resolve_identity,
    resolve_key_events,
    resolve_limits,
    resolve_segments,
    resolve_tables,
)
from reactor.spec.lint import lint
from reactor.spec.node import Node, Reading
from reactor.spec.read import Source, read
from reactor.spec.report import Report
from reactor.spec.sections import resolve_sections


class Config(model.Config, frozen=True):
    """A config, checked and resolved: what `Reactor(...)` runs.

    Made by `load` and `parse`; its parts are described at `reactor.spec.model.Config`.
    """

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Config:
        """Return the config of a YAML, TOML or JSON file; the ending says which.

        Raises ConfigError with all problems of the file.
        """
        return load_config(path)

    @classmethod
    def parse(cls, source: Mapping[str, object]) -> Config:
        """Return the config that a mapping of plain values is.

        Raises ConfigError with all problems of the mapping.

        >>> Config.parse({"version": 1, "name": "shop", "identity": {"keys": ["email"]}})
        Config('shop': 0 tables, 1 keys, 0 attributes, 0 sections)
        """
        return load_config(source)


def load_config(source: Source, *, environ: Mapping[str, str] | None = None) -> Config:
    """Return the config of a file or a mapping, checked and resolved.

    source: the path of a YAML, TOML or JSON file (the ending says which, YAML for any other), or
        a mapping of plain values.
    environ: where `${NAME}` in `identity.secret` is looked up; the process's environment if None.
    Raises ConfigError with every problem, in the order of the file.

    >>> config = load_config({"version": 1, "key_events": {"view": "web.pages"}})
    >>> config.key_events["view"].table
    'web.pages'
    """
    file = None if isinstance(source, Mapping) else os.fspath(source)
    reading = Reading(file)
    root = read(source, reading)
    report = Report(root, reading)
    entries = _convert(root, report)
    return _resolve(entries, report, os.environ if environ is None else environ)


def _convert(root: Node, report: Report) -> raw.Config:
    entries = convert(root, raw.Config, report)
    if entries is None:
        report.raise_problems()
    assert entries is not None
    return entries


def _resolve(entries: raw.Config, report: Report, environ: Mapping[str, str]) -> Config:
    limits = resolve_limits(report, entries.limits)
    context = Context(report, limits, environ)
    resolve_tables(context, entries.tables)
    lookup_key, secret = resolve_identity(context, entries.identity)
    resolve_key_events(context, entries.key_events)
    resolve_segments(context, entries.segments)
    computed = resolve_attributes(context, entries.attributes)
    sections = resolve_sections(context, entries.personalizations)
    report.raise_problems()
    lint(context, sections, secret)
    return Config(
        name="reactor" if entries.name is UNSET else entries.name,
        description="" if entries.description is UNSET else entries.description,
        limits=limits,
        tables=context.tables,
        keys=tuple(context.keys.values()),
        lookup_key=lookup_key,
        secret=secret,
        key_events={name: event for name, event in context.key_events.items() if event is not None},
        attributes=context.attributes,
        segments=context.segments,
        sections=sections,
        names=context.names,
        computed=computed,
        warnings=report.sorted_warnings(),
        source=report.file,
    )
