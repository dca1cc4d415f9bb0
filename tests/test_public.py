"""The public surface, pinned: a name or a parameter that changes here is a breaking change."""

from __future__ import annotations

import inspect
import typing

import pytest

import reactor
from reactor import Config, Reactor

NAMES = (
    "Audience",
    "Change",
    "Config",
    "ConfigError",
    "EventError",
    "Explanation",
    "Forgotten",
    "Offer",
    "Outcome",
    "Problem",
    "ProfileView",
    "Reactor",
    "ReactorError",
    "ReloadReport",
    "SnapshotError",
    "compare",
    "simulate",
)

SIGNATURES = {
    Reactor: "(config, *, state=None, clock=None)",
    Reactor.load: "(path, *, state=None, clock=None)",
    Reactor.process: "(self, event, table=None, *, audience='public', now=None)",
    Reactor.process_json: "(self, body, table=None, *, audience='public', now=None)",
    Reactor.ingest: "(self, event, table=None, *, now=None)",
    Reactor.evaluate: "(self, event, table=None, *, audience='public', now=None)",
    Reactor.explain: "(self, event=None, table=None, *, keys=None, rid=None, audience='public', now=None)",
    Reactor.offers: "(self, keys=None, *, rid=None, audience='public', now=None)",
    Reactor.profile: "(self, keys=None, *, rid=None, now=None)",
    Reactor.import_batch: "(self, rows, *, replace=True)",
    Reactor.snapshot: "(self, path)",
    Reactor.reload: "(self, config)",
    Reactor.forget: "(self, keys=None, *, rid=None)",
    Reactor.stats: "(self)",
    Reactor.inspect: "(self)",
    Reactor.source: "(self)",
    Reactor.rids: "(self)",
    Reactor.part_names: "(self, audience='private')",
    Reactor.process_row: "(self, event, table=None, *, audience='public', now=None)",
    Reactor.watch: "(self, refs)",
    Reactor.event_time: "(self, event, table=None)",
    Reactor.identifiers: "(self, event, table=None)",
    Reactor.row_identifiers: "(self, row)",
    Reactor.packed_sizes: "(self)",
    Reactor.check: "(self)",
    Config.load: "(path)",
    Config.parse: "(source)",
    reactor.compare: "(config_a, config_b, events, *, table=None, batch=None, audience='public', since=None,"
    " until=None, limit=None, time=None, table_column=None, strict=False, engine='auto', examples=3)",
    reactor.simulate: "(config, events, *, table=None, batch=None, audience='public', since=None, until=None,"
    " limit=None, time=None, table_column=None, strict=False, engine='auto', memory=None, workers=1)",
}


def test_names() -> None:
    """The package offers these names, and no others without an underscore but its modules."""
    assert tuple(sorted(reactor.__all__)) == NAMES
    assert all(getattr(reactor, name) is not None for name in NAMES)
    assert set(NAMES) <= set(dir(reactor))


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures(function: typing.Any) -> None:
    """Parameters, their kinds and their defaults; annotations are mypy's business."""
    signature = inspect.signature(function)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
    ]
    assert str(inspect.Signature(bare)) == SIGNATURES[function]
    assert inspect.getdoc(function)


def test_every_public_method_is_pinned() -> None:
    """A method or property that is added is added here too."""
    public = {name for name in vars(Reactor) if not name.startswith("_")}
    names = {function.__qualname__ for function in SIGNATURES}
    methods = {name.removeprefix("Reactor.") for name in names if name.startswith("Reactor.")}
    assert public == {*methods, "in_use"}


def test_errors_derive_from_what_a_caller_expects() -> None:
    """One base of our own, and the built-in that says the same."""
    for error in (reactor.ConfigError, reactor.EventError, reactor.SnapshotError):
        assert issubclass(error, reactor.ReactorError)
        assert issubclass(error, ValueError)


def test_offers_are_typed() -> None:
    """An offer is a TypedDict, an audience a Literal; the package says that it is typed."""
    assert typing.is_typeddict(reactor.Offer)
    assert set(typing.get_args(reactor.Audience)) == {"public", "private"}
