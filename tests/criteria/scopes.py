"""The scopes of the tables of tests: a profile's, an event's, and that of a computed attribute."""

from __future__ import annotations

from reactor.criteria import Name, Scope

_NAMES = {
    "visits": Name("number", nullable=False),
    "visits.day": Name("number", nullable=False),
    "spend": Name("number", nullable=False),
    "score": Name("number"),
    "tier": Name("string"),
    "vip": Name("boolean"),
    "last_order": Name("string"),
    "last_order.time": Name("timestamp"),
    "names": Name("strings"),
    "prices": Name("numbers"),
    "recent.urls": Name("list"),
    "newest": Name("untyped"),
    "email": Name("strings"),
    "my key": Name("strings"),
    "a.b": Name("strings"),
}
_SEGMENTS = frozenset({"1588214", "1588299"})

PROFILE = Scope(names=_NAMES, columns={"amount": Name("number")}, now=True, before=True, segments=_SEGMENTS)
COMPUTED = Scope(names=_NAMES, now=True, before=True, segments=_SEGMENTS)
EVENT = Scope(columns={"amount": Name("number"), "label": Name("string")}, bare=True)

SCOPES = {"profile": PROFILE, "computed": COMPUTED, "event": EVENT}
