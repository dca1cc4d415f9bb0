"""Names as written to names as known: what `visits.day`, `event."a.b"` or `before.email` is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from reactor.criteria.parse import NamePart
from reactor.criteria.tree import Name, Ref, Scope
from reactor.errors import did_you_mean

UNTYPED: Final = Name("untyped")

Fail = Callable[[str, str], NoReturn]


def resolve(parts: tuple[NamePart, ...], scope: Scope, fail: Fail) -> Ref:
    """Return what a name stands for in `scope`.

    parts: the words between the dots, each with whether it was in double quotes.
    fail: called with a message and a hint where the name can't be used.
    """
    first, quoted = parts[0]
    names = [name for name, _ in parts]
    reserved = "" if quoted else first
    if reserved == "event" and len(parts) > 1:
        if scope.columns is None:
            fail("a column of the event can't be used here: there is no event", "")
        return _column(names[1:], scope, fail)
    if reserved == "before" and len(parts) > 1:
        return _before(names[1:], scope, fail)
    if reserved == "now" and len(parts) == 1:
        if not scope.now:
            fail(
                "now can't be used here", 'a column of that name is written event."now"' if scope.bare else ""
            )
        return Ref("now", "now", "timestamp", False)
    if reserved in ("event", "before", "segment") and len(parts) == 1:
        fail(f"{first} is a reserved word", _reserved_hint(first, scope))
    if scope.bare:
        return _column(names, scope, fail)
    return _profile(names, quoted, scope, fail)


def _reserved_hint(word: str, scope: Scope) -> str:
    if word == "segment" and scope.segments is not None:
        return "write segment('id')"
    return f'a column of that name is written event."{word}"' if scope.columns is not None else ""


def _column(names: list[str], scope: Scope, fail: Fail) -> Ref:
    name, *path = names
    known = (scope.columns or {}).get(name, UNTYPED)
    if path and known.type != "untyped":
        fail(
            f"{written(name)} is a made column, which has no fields",
            f'a column with a dot is "{".".join(names)}"',
        )
    return Ref("column", name, known.type, known.nullable, tuple(path))


def _before(names: list[str], scope: Scope, fail: Fail) -> Ref:
    if not scope.before:
        fail("before can't be used here", "")
    if names == ["now"]:
        fail("before.now can't be used: now is the same before the event", "write now")
    if names[0] == "event" and ".".join(names) not in scope.names:
        fail("before.event can't be used: before reads the profile", "")
    found = _profile(names, True, scope, fail)
    return Ref("profile", found.name, found.type, found.nullable, (), True)


def _profile(names: list[str], quoted: bool, scope: Scope, fail: Fail) -> Ref:
    name = ".".join(names)
    known = scope.names.get(name)
    if known is None:
        fail(f"there is no attribute or key {written(*names)}", _profile_hint(name, names, quoted, scope))
    return Ref("profile", name, known.type, known.nullable)


def _profile_hint(name: str, names: list[str], quoted: bool, scope: Scope) -> str:
    parts = sorted(known for known in scope.names if known.startswith(f"{names[0]}."))
    if len(names) > 1 and names[0] in scope.names and parts:
        return did_you_mean(name, parts) or f"it has {', '.join(parts)}"
    if len(names) == 1 and parts:
        return f"it has parts: {', '.join(parts)}"
    if quoted and len(names) == 1:
        close = did_you_mean(name, [known for known in scope.names if not known.isidentifier()])
        return close or f"text is in single quotes: '{name}'"
    close = did_you_mean(name, scope.names)
    if close:
        return close
    return f"a column of the event is written event.{written(*names)}" if scope.columns is not None else ""


def written(*names: str) -> str:
    """Return a name as it is written in an expression.

    >>> written("a", "b c")
    'a."b c"'
    """
    return ".".join(name if name.isidentifier() and name.isascii() else _quoted(name) for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
