"""What an expression is: its types, its names, and the tree that the checker makes of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

# `list` is a list of untyped elements (a list's `distinct`); an `untyped` value may turn out
# to be a scalar or a list when it is read.
Type: TypeAlias = Literal[
    "string", "number", "boolean", "timestamp", "interval", "strings", "numbers", "list", "untyped"
]
LISTS: Final = frozenset({"strings", "numbers", "list"})


class Name(msgspec.Struct, frozen=True):
    """What the checker knows of a name: its type, and whether it can be NULL."""

    type: Type
    nullable: bool = True


class Scope(msgspec.Struct, frozen=True):
    """The names an expression may use.

    names: names of the profile, as `visits`, `visits.day`, `last_order.time`, `email`.
    columns: event columns whose type is known (made columns); None where no event may be named.
        Any other column is untyped.
    bare: whether a bare name is a column of the event; else a column is written `event.x`.
    before: whether `before.X` may be used.
    now: whether `now` may be used.
    segments: the segment ids that `segment('…')` may name; None where it may not be used.
    """

    names: Mapping[str, Name] = {}
    columns: Mapping[str, Name] | None = None
    bare: bool = False
    before: bool = False
    now: bool = False
    segments: frozenset[str] | None = None


class Ref(msgspec.Struct, frozen=True):
    """A name as used in an expression. Equal uses are equal and hashable.

    kind: `column` (name: the column; path: fields of a nested object below it), `profile` (name:
        a key of `Scope.names`), `now`, or `segment` (name: the id).
    """

    kind: Literal["column", "profile", "now", "segment"]
    name: str
    type: Type
    nullable: bool
    path: tuple[str, ...] = ()
    before: bool = False


# The nodes. Each knows its type and whether its value can be NULL; a condition has the type
# `boolean`. An operand of type `untyped` or `list` is read as the kind of its place when it
# is evaluated, by the node that holds it.

Kind: TypeAlias = Literal["string", "number", "boolean", "timestamp", "interval", "json"]
CompareOp: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"]
ArithOp: TypeAlias = Literal["+", "-", "*", "/", "%"]
Target: TypeAlias = Literal["boolean", "bigint", "integer", "double", "varchar", "timestamp"]


class Const(msgspec.Struct, frozen=True):
    """A literal, or what an expression of literals comes to. None is NULL."""

    value: str | int | float | bool | None
    type: Type

    @property
    def nullable(self) -> bool:
        """Whether this is NULL."""
        return self.value is None


class As(msgspec.Struct, frozen=True):
    """An untyped value read as `type`, because its place asks for that."""

    operand: Node
    type: Literal["string", "number", "boolean", "timestamp"]
    nullable: bool = True


class Arith(msgspec.Struct, frozen=True):
    """Arithmetic in doubles. NULL where the result is not finite, and for a divisor of 0."""

    op: ArithOp
    left: Node
    right: Node
    type: Type = "number"
    nullable: bool = True


class Shift(msgspec.Struct, frozen=True):
    """`moment` moved by `sign` times an interval. NULL outside the years 1 to 9999."""

    moment: Node
    by: Node
    sign: Literal[1, -1]
    type: Type = "timestamp"
    nullable: bool = True


class Since(msgspec.Struct, frozen=True):
    """`left - right` of two timestamps."""

    left: Node
    right: Node
    nullable: bool
    type: Type = "interval"


class Call(msgspec.Struct, frozen=True):
    """A function that is NULL when an argument is: `neg abs round lower upper trim length concat`.

    digits: of `round`.
    """

    name: Literal["neg", "abs", "round", "lower", "upper", "trim", "length", "concat"]
    args: tuple[Node, ...]
    type: Type
    nullable: bool
    digits: int = 0


class Cast(msgspec.Struct, frozen=True):
    """`cast` and `try_cast`: NULL where the value is none of the target."""

    operand: Node
    target: Target
    type: Type
    nullable: bool = True


class Case(msgspec.Struct, frozen=True):
    """`CASE`. branches: (test, value); a test is a condition, or with a subject what it is compared with.

    kinds: how the subject is compared with each test; () without a subject.
    """

    subject: Node | None
    kinds: tuple[Kind, ...]
    branches: tuple[tuple[Node, Node], ...]
    default: Node
    type: Type
    nullable: bool


class Coalesce(msgspec.Struct, frozen=True):
    """The first of `args` that is not NULL."""

    args: tuple[Node, ...]
    type: Type
    nullable: bool


class Nullif(msgspec.Struct, frozen=True):
    """`left`, or NULL where it equals `right`."""

    left: Node
    right: Node
    kind: Kind
    type: Type
    nullable: bool = True


class Extreme(msgspec.Struct, frozen=True):
    """`greatest` and `least`: NULL when an argument is."""

    name: Literal["greatest", "least"]
    args: tuple[Node, ...]
    type: Type
    nullable: bool


class Cardinality(msgspec.Struct, frozen=True):
    """The number of elements of a list; 1 for a scalar."""

    operand: Node
    nullable: bool
    type: Type = "number"


class Truth(msgspec.Struct, frozen=True):
    """A boolean value, or an untyped one read as a boolean, where a condition stands."""

    operand: Node
    nullable: bool
    type: Type = "boolean"


class And(msgspec.Struct, frozen=True):
    """All of `args`, which are conditions."""

    args: tuple[Node, ...]
    nullable: bool
    type: Type = "boolean"


class Or(msgspec.Struct, frozen=True):
    """Any of `args`, which are conditions."""

    args: tuple[Node, ...]
    nullable: bool
    type: Type = "boolean"


class Not(msgspec.Struct, frozen=True):
    """The contrary of a condition; unknown where that is unknown."""

    arg: Node
    nullable: bool
    type: Type = "boolean"


class IsTruth(msgspec.Struct, frozen=True):
    """`IS TRUE` and `IS FALSE` of a condition."""

    arg: Node
    wanted: bool
    nullable: bool = False
    type: Type = "boolean"


class IsNull(msgspec.Struct, frozen=True):
    """`IS NULL` of a value or of a condition."""

    arg: Node
    nullable: bool = False
    type: Type = "boolean"


class Compare(msgspec.Struct, frozen=True):
    """A comparison; with a list on one side, of any of its elements."""

    op: CompareOp
    left: Node
    right: Node
    kind: Kind
    nullable: bool
    type: Type = "boolean"


class In(msgspec.Struct, frozen=True):
    """`subject IN (options)`: equal to one of them, each compared as its kind."""

    subject: Node
    options: tuple[Node, ...]
    kinds: tuple[Kind, ...]
    nullable: bool
    type: Type = "boolean"


class Between(msgspec.Struct, frozen=True):
    """`subject BETWEEN low AND high`."""

    subject: Node
    low: Node
    high: Node
    kind: Kind
    nullable: bool
    type: Type = "boolean"


class Like(msgspec.Struct, frozen=True):
    """`subject LIKE pattern ESCAPE escape`; escape: "" for none."""

    subject: Node
    pattern: str
    escape: str
    nullable: bool
    type: Type = "boolean"


class Regexp(msgspec.Struct, frozen=True):
    """`regexp_like(subject, pattern)`."""

    subject: Node
    pattern: str
    nullable: bool
    type: Type = "boolean"


class StartsWith(msgspec.Struct, frozen=True):
    """`starts_with(subject, prefix)`."""

    subject: Node
    prefix: Node
    nullable: bool
    type: Type = "boolean"


class Contains(msgspec.Struct, frozen=True):
    """`contains(items, item)`; a scalar counts as a list of one."""

    items: Node
    item: Node
    kind: Kind
    nullable: bool
    type: Type = "boolean"


Leaf: TypeAlias = Compare | In | Between | Like | Regexp | StartsWith | Contains
Condition: TypeAlias = Truth | And | Or | Not | IsTruth | IsNull | Leaf
Node: TypeAlias = (
    Const
    | Ref
    | As
    | Arith
    | Shift
    | Since
    | Call
    | Cast
    | Case
    | Coalesce
    | Nullif
    | Extreme
    | Cardinality
    | Condition
)
CONDITIONS: Final = (
    Truth, And, Or, Not, IsTruth, IsNull, Compare, In, Between, Like, Regexp, StartsWith, Contains
)  # fmt: skip


class Expression(msgspec.Struct, frozen=True):
    """A checked expression.

    type: of its value; `boolean` for a condition.
    nullable: whether it can be NULL, or unknown.
    refs: the names it uses, distinct, in order of first use.
    root: its tree; a single `Const` where it uses no name.
    warnings: what is allowed and hardly meant, one sentence each.
    """

    text: str
    type: Type
    nullable: bool
    refs: tuple[Ref, ...]
    root: Node
    warnings: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        """Whether it uses no name, so that it always comes to the same."""
        return not self.refs

    @property
    def value(self) -> str | int | float | bool | None:
        """What a constant expression always comes to; None is NULL, and for one that is not constant."""
        return self.root.value if isinstance(self.root, Const) else None
