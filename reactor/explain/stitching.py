"""Who an event, or a read, is about: which identifiers count, who is joined, what has to go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reactor.explain.scratch import Dry
from reactor.explain.shapes import Counted, Evicted, IdentityWhy, ProfileMet, Refused
from reactor.explain.shown import Public
from reactor.identity import CREATED, MISNAMED, NEWEST, NULL, RID, Profile, Stitched, format_rid, identifiers
from reactor.payload import Outcome
from reactor.state import State
from reactor.units import format_time

TOO_MANY = "More identifiers than a profile can hold."
_NOTHING = Stitched(None)


def identity_of_event(
    state: State, event: Mapping[str, Any], values: Sequence[object], dry: Dry, public: Public
) -> IdentityWhy:
    """Return who an event is about. values: its raw identifiers, by key."""
    if public.is_on:
        return IdentityWhy(redacted=True)
    stitched = dry.stitched or _NOTHING
    counted, refused = _sorted_out(state, event, values, stitched)
    rid = dry.outcome.rid_value
    joined_rids = {rid, *stitched.merged}
    met = [profile for profile in dry.met if profile[RID] in joined_rids and not stitched.founded]
    names = [key.name for key in state.config.keys]
    evicted = [Evicted(names[k], value) for k, value in stitched.evicted]
    evicted += [Evicted(None, format_rid(each)) for each in stitched.evicted_rids]
    outcome: Any = "known"
    if rid is None:
        outcome = "nobody"
    elif stitched.founded:
        outcome = "founded"
    elif stitched.merged:
        outcome = "merged"
    elif stitched.new:
        outcome = "attached"
    return IdentityWhy(
        redacted=False,
        outcome=outcome,
        rid=None if rid is None else format_rid(rid),
        counted=counted,
        refused=refused,
        profiles=tuple(_met(state, profile, profile[RID] == rid) for profile in met),
        idle=tuple(format_rid(profile[RID]) for profile in dry.met if profile[RID] in dry.gone),
        evicted=tuple(evicted),
    )


def identity_of_read(
    state: State, met: Sequence[Profile], present: Sequence[Profile], outcome: Outcome, public: Public
) -> IdentityWhy:
    """Return who a read is about: several profiles are joined for the answer only."""
    if public.is_on:
        return IdentityWhy(redacted=True)
    rids = {profile[RID] for profile in present}
    return IdentityWhy(
        redacted=False,
        outcome="known" if present else "nobody",
        rid=outcome.rid,
        counted=(),
        refused=(),
        profiles=tuple(_met(state, profile, profile[RID] == outcome.rid_value) for profile in present),
        idle=tuple(format_rid(profile[RID]) for profile in met if profile[RID] not in rids),
        evicted=(),
    )


def _met(state: State, profile: Profile, survives: bool) -> ProfileMet:
    return ProfileMet(
        format_rid(profile[RID]),
        format_time(profile[CREATED]),
        format_time(profile[NEWEST]),
        len(identifiers(profile, len(state.config.keys))),
        survives,
    )


def _sorted_out(
    state: State, event: Mapping[str, Any], values: Sequence[object], stitched: Stitched
) -> tuple[tuple[Counted, ...], tuple[Refused, ...]]:
    """Return the identifiers that count, and those that don't."""
    new, names = set(stitched.new), [key.name for key in state.config.keys]
    room = state.config.limits.associations
    counted: list[Counted] = []
    refused = list(_misnamed(state, event))
    for k, value in enumerate(values):
        if value is None or (isinstance(value, float) and value != value):
            continue
        reason = None if _is_known(state, k, value) else state.identity.valid(k, value)
        if reason is not None:
            refused.append(Refused(names[k], _writable(value), reason))
        elif len(counted) >= room:
            refused.append(Refused(names[k], value, TOO_MANY))
        else:
            counted.append(Counted(names[k], str(value), "new" if (k, value) in new else "known"))
    counted += [Counted(names[k], value, "joined") for k, value in stitched.joined]
    return tuple(counted), tuple(refused)


def _is_known(state: State, k: int, value: object) -> bool:
    return isinstance(value, str) and value in state.identity.index[k]


def _misnamed(state: State, event: Mapping[str, Any]) -> Iterator[Refused]:
    for name in state.identity.misnamed(event):
        if event[name] is not None:
            yield Refused(name, _writable(event[name]), MISNAMED)


def _writable(value: object) -> Any:
    """Return a value of an event as JSON can hold it; of what it can't, the kind."""
    if value is NULL or value is None:
        return None
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return f"({type(value).__name__})"
