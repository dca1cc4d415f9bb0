"""A criterion as an explanation sees it: leaves, and what joins them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import msgspec

from reactor.criteria import Expression, Ref
from reactor.criteria.leaves import all3, any3, not3
from reactor.criteria.tree import And, Condition, IsNull, IsTruth, Node, Not, Or, Truth
from reactor.criteria.walk import Read, leaf_of, value_of
from reactor.criteria.write import sql
from reactor.explain.shapes import Mark
from reactor.spec.model import Computed, Config, Imported, ListAttribute, Single

Truth3: TypeAlias = bool | None

_OPERAND_FIELDS: Final = {
    "Compare": ("left", "right"),
    "Between": ("subject", "low", "high"),
    "Like": ("subject",),
    "Regexp": ("subject",),
    "StartsWith": ("subject", "prefix"),
    "Contains": ("items", "item"),
}


class Leaf:
    """One test, which is true, false or unknown.

    number: in its section; equal tests are one leaf. refs: the names it reads, in order of first use.
    read: those, and what computed attributes among them read in turn, each with who reads it; `operands`
        without `now`, and `names` as they are written.
    tells_time: whether it reads `now`, also by way of a computed attribute.
    """

    __slots__ = (
        "_secret",
        "bare",
        "config",
        "names",
        "node",
        "number",
        "operands",
        "read",
        "refs",
        "run",
        "sensitive",
        "tells_time",
        "text",
    )

    def __init__(self, number: int, node: Node, bare: bool, config: Config, rules: Secrets) -> None:
        self.number = number
        self.node = node
        self.bare = bare
        self.config = config
        self.text = sql(node, bare=bare)
        self.refs = tuple(dict.fromkeys(refs_in(node)))
        self.read = tuple(dict.fromkeys(_read_by(self.refs, config, None)))
        self.tells_time = any(ref.kind == "now" for ref, _ in self.read)
        self._secret = frozenset(ref for ref, _ in self.read if rules.is_sensitive(ref))
        self.sensitive: bool = bool(self._secret)
        self.operands = [(ref, of) for ref, of in self.read if ref.kind != "now"]
        self.names = {ref: sql(ref, bare=bare and ref.kind == "column") for ref, _ in self.read}
        self.run = _runner(node)

    def is_secret(self, ref: Ref) -> bool:
        """Tell whether a name that the leaf reads is for private readers only."""
        return ref in self._secret


class Branch:
    """What joins conditions; number: None."""

    __slots__ = ("branches", "mark", "sensitive", "text")

    def __init__(self, mark: Mark, text: str, branches: Sequence[Part]) -> None:
        self.mark = mark
        self.text = text
        self.branches = tuple(branches)
        self.sensitive: bool = any(branch.sensitive for branch in branches)

    def join(self, truths: Sequence[Truth3]) -> Truth3:
        """Return what it comes to, by what its branches do."""
        if self.mark == "and":
            return all3(truths)
        if self.mark == "or":
            return any3(truths)
        if self.mark == "not":
            return not3(truths[0])
        return truths[0] is {"is null": None, "is true": True, "is false": False}[self.mark]


Part: TypeAlias = Leaf | Branch


class Secrets:
    """Which names of a config tell of a sensitive value.

    A column does if an identifier or a sensitive attribute is made of it.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._columns = set(_secret_columns(config))

    def is_sensitive(self, ref: Ref) -> bool:
        """Tell whether a name's value, and what is made of it, is for private readers only."""
        if ref.kind == "column":
            return ref.name in self._columns
        return ref.kind == "profile" and is_secret_name(ref.name, self._config)


def is_secret_name(name: str, config: Config) -> bool:
    """Tell whether a name of the profile is a stitching key or sensitive."""
    if any(name == key.name for key in config.keys):
        return True
    base, _, part = name.partition(".")
    attribute = config.attributes[base]
    if isinstance(attribute, ListAttribute):
        return attribute.aggregations[part].sensitive
    return isinstance(attribute, Single | Imported | Computed) and attribute.sensitive


def _secret_columns(config: Config) -> Iterator[str]:
    yield from (key.name for key in config.keys)
    expressions: list[Expression] = []
    for attribute in config.attributes.values():
        if isinstance(attribute, Single) and attribute.sensitive:
            expressions += attribute.value.values()
        elif isinstance(attribute, ListAttribute):
            columns = {each.column for each in attribute.aggregations.values() if each.sensitive}
            for column in sorted(columns):
                by_key_event = attribute.item if column == "item" else attribute.fields[column]
                expressions += by_key_event.values()
    names = {ref.name for expression in expressions for ref in expression.refs if ref.kind == "column"}
    keys = {key.name for key in config.keys}
    made = [pair for table in config.tables.values() for pair in table.columns.items()]
    # What a secret column is made of is as secret, and so is what is made of it, in any table.
    for name, expression in made:
        if name in keys or name in names:
            names |= {ref.name for ref in expression.refs if ref.kind == "column"}
    for name, expression in made:
        if any(ref.name in names or ref.name in keys for ref in expression.refs):
            names.add(name)
    yield from names


class Criteria:
    """The criteria of one section: its leaves, and the tree of each criterion."""

    def __init__(self, config: Config, rules: Secrets) -> None:
        self._config = config
        self._secrets = rules
        self.leaves: list[Leaf] = []
        self._known: dict[tuple[Node, bool], Leaf] = {}

    def tree(self, expression: Expression, *, bare: bool) -> Part:
        """Return the tree of a condition. bare: whether its bare names are columns."""
        return self._part(cast(Condition, expression.root), bare)

    def _part(self, node: Node, bare: bool) -> Part:
        mark: Mark
        match node:
            case And(args=args):
                return Branch("and", sql(node, bare=bare), [self._part(arg, bare) for arg in args])
            case Or(args=args):
                return Branch("or", sql(node, bare=bare), [self._part(arg, bare) for arg in args])
            case Not(arg=arg):
                return Branch("not", sql(node, bare=bare), [self._part(arg, bare)])
            case IsTruth(arg=arg, wanted=wanted):
                mark = "is true" if wanted else "is false"
                return Branch(mark, sql(node, bare=bare), [self._part(arg, bare)])
            case IsNull(arg=arg) if _is_condition(arg):
                return Branch("is null", sql(node, bare=bare), [self._part(arg, bare)])
        # A column is another name than an attribute that is called alike.
        key = (node, bare)
        if key not in self._known:
            self._known[key] = Leaf(len(self.leaves), node, bare, self._config, self._secrets)
            self.leaves.append(self._known[key])
        return self._known[key]


def truth_of(part: Part, truths: Sequence[Truth3]) -> Truth3:
    """Return what a tree comes to. truths: of the section's leaves, by number."""
    if isinstance(part, Leaf):
        return truths[part.number]
    return part.join([truth_of(branch, truths) for branch in part.branches])


def leaves_of(part: Part) -> Iterator[Leaf]:
    """Yield the leaves of a tree from left to right, equal ones as often as they stand there."""
    if isinstance(part, Leaf):
        yield part
        return
    for branch in part.branches:
        yield from leaves_of(branch)


def refs_in(node: object) -> Iterator[Ref]:
    """Yield the names in a tree, in order, as often as they stand there."""
    if isinstance(node, Ref):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from refs_in(each)
    elif isinstance(node, msgspec.Struct):
        for field in node.__struct_fields__:
            yield from refs_in(getattr(node, field))


def computed_of(ref: Ref, config: Config) -> Computed | None:
    """Return the computed attribute that a name is, if it is one."""
    attribute = config.attributes.get(ref.name) if ref.kind == "profile" else None
    return attribute if isinstance(attribute, Computed) else None


def before_too(ref: Ref, *, before: bool) -> Ref:
    """Return a name as read inside a computed attribute that is itself read as it was before, if it is."""
    if not before or ref.kind == "now":
        return ref
    return msgspec.structs.replace(ref, before=True)


def _read_by(refs: Sequence[Ref], config: Config, reader: str | None) -> Iterator[tuple[Ref, str | None]]:
    for ref in refs:
        yield ref, reader
    for ref in refs:
        computed = computed_of(ref, config)
        if computed is not None:
            inner = [before_too(each, before=ref.before) for each in computed.value.refs]
            yield from _read_by(inner, config, ref.name)


def _is_condition(node: Node) -> bool:
    return isinstance(node, And | Or | Not | IsTruth | IsNull | Truth) or type(node).__name__ in (
        *_OPERAND_FIELDS,
        "In",
    )


def _runner(node: Node) -> Callable[[Read], Any]:
    """Return a function that walks a leaf; what does not depend on the values is done once."""
    fields = _OPERAND_FIELDS.get(type(node).__name__)
    if fields is None:
        return lambda read: value_of(node, read)
    leaf = leaf_of(cast(Any, node))
    operands = [_operand(getattr(node, field)) for field in fields]
    if len(operands) == 2:
        left, right = operands
        return lambda read: leaf(left(read), right(read))
    return lambda read: leaf(*(operand(read) for operand in operands))


def _operand(node: Node) -> Callable[[Read], Any]:
    if isinstance(node, Ref):
        return lambda read: read(node)
    if not refs_found(node):
        constant = value_of(node, _no_names)
        return lambda read: constant
    return lambda read: value_of(node, read)


def refs_found(node: Node) -> bool:
    """Tell whether a tree reads any name."""
    return next(refs_in(node), None) is not None


def _no_names(ref: Ref) -> Any:
    raise AssertionError(ref.kind)


Values: TypeAlias = Mapping[Ref, Any]
