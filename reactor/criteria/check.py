"""From syntax to a checked tree: names are resolved, types decided, constants folded."""

from __future__ import annotations

from typing import Literal, NoReturn

from reactor.criteria import like, regexp
from reactor.criteria.error import CriteriaError
from reactor.criteria.fold import folded, references
from reactor.criteria.names import resolve
from reactor.criteria.parse import Syntax, parse
from reactor.criteria.tree import (
    CONDITIONS,
    LISTS,
    And,
    Arith,
    As,
    Between,
    Call,
    Cardinality,
    Case,
    Cast,
    Coalesce,
    Compare,
    CompareOp,
    Const,
    Contains,
    Expression,
    Extreme,
    In,
    IsNull,
    IsTruth,
    Kind,
    Like,
    Node,
    Not,
    Nullif,
    Or,
    Ref,
    Regexp,
    Scope,
    Shift,
    Since,
    StartsWith,
    Truth,
    Type,
)
from reactor.criteria.types import (
    ELEMENTS,
    NO_CAST,
    NOUNS,
    ORDERS,
    TARGET_TYPES,
    TO_CONDITION,
    UNITS_MS,
    Place,
    as_kind,
    as_type,
    conversion,
    double_quoted,
    shown,
)
from reactor.errors import did_you_mean
from reactor.units import MAX_TIME_MS, MIN_TIME_MS, parse_time


def compile_expression(text: str, scope: Scope, want: Literal["condition", "value"]) -> Expression:
    """Parse and check `text`; the result is what `walk` and the `emit_` functions take.

    want: `condition` where only true lets something pass; `value` where any type will do.
    Raises CriteriaError for anything that is not in the language, with its place.

    >>> from reactor.criteria import Name
    >>> compile_expression("visits >= 3", Scope(names={"visits": Name("number", False)}), "condition").type
    'boolean'
    """
    syntax = parse(text)
    checker = _Checker(text, scope)
    root = checker.condition(syntax) if want == "condition" else checker.top(syntax)
    refs = references(root)
    return Expression(
        text, root.type, root.nullable, refs, folded(root), tuple(dict.fromkeys(checker.warnings))
    )


class _Checker:
    """One expression's check. Each method takes syntax and returns a node, or raises CriteriaError."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.warnings: list[str] = []

    def fail(self, syntax: Syntax, message: str, hint: str = "") -> NoReturn:
        raise CriteriaError(message, text=self.text, offset=syntax.offset, hint=hint)

    def shown(self, node: Node) -> str:
        return shown(node, self.scope.bare)

    # Values and conditions.

    def top(self, syntax: Syntax) -> Node:
        if syntax.op == "null":
            self.fail(syntax, "expected a value, got NULL alone", "NULL stands in coalesce, CASE or nullif")
        return self.any(syntax)

    def any(self, syntax: Syntax) -> Node:
        """Check a value or a condition."""
        method = getattr(self, f"_{syntax.op}")
        node: Node = method(syntax)
        return node

    def value(self, syntax: Syntax, null: str = "") -> Node:
        """Check an operand, which a condition is not.

        null: "" where NULL may not stand, else "allowed".
        """
        if syntax.op == "null" and not null:
            self.fail(syntax, "expected a value, got NULL", "NULL stands in coalesce, CASE or nullif")
        node = self.any(syntax)
        if isinstance(node, CONDITIONS):
            self.fail(syntax, "expected a value, got a condition", "join conditions with AND, OR and NOT")
        return node

    def condition(self, syntax: Syntax, null: str = "") -> Node:
        """Check what is true, false or unknown."""
        node = self.value(syntax, null) if syntax.op == "null" else self.any(syntax)
        if isinstance(node, CONDITIONS):
            return node
        if node.type not in ("boolean", "untyped"):
            self.fail(syntax, f"expected a condition, got {NOUNS[node.type]}", TO_CONDITION[node.type])
        return Truth(node, node.nullable or node.type == "untyped")

    def place(self, syntax: Syntax, wanted: Place, where: str) -> Node:
        """Check an operand of a place that asks for one type; an untyped one is read as that."""
        return self.placed(self.value(syntax), syntax, wanted, where)

    def placed(self, node: Node, syntax: Syntax, wanted: Place, where: str) -> Node:
        if node.type == "untyped":
            return As(node, wanted)
        if node.type != wanted:
            self.fail(
                syntax,
                f"{where}: expected {NOUNS[wanted]}, got {NOUNS[node.type]}",
                conversion(node, wanted, self.scope.bare),
            )
        return node

    # Literals and names.

    def _text(self, syntax: Syntax) -> Node:
        return Const(syntax.value, "string")

    def _number(self, syntax: Syntax) -> Node:
        return Const(syntax.value, "number")

    def _boolean(self, syntax: Syntax) -> Node:
        return Const(syntax.value, "boolean")

    def _null(self, syntax: Syntax) -> Node:
        return Const(None, "untyped")

    def _timestamp(self, syntax: Syntax) -> Node:
        time_ms = parse_time(syntax.value) if "-" in syntax.value else None
        if time_ms is None or not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
            self.fail(
                syntax,
                f"expected a time of the years 1 to 9999, got '{syntax.value}'",
                "write TIMESTAMP '2017-03-01' or TIMESTAMP '2017-03-01 10:00:00'",
            )
        return Const(time_ms, "timestamp")

    def _interval(self, syntax: Syntax) -> Node:
        amount, unit = syntax.value
        digits = amount.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            self.fail(
                syntax,
                f"expected a whole number of at most 9 digits, got '{amount}'",
                "write INTERVAL '7' DAY",
            )
        return Const(int(amount) * UNITS_MS[unit], "interval")

    def _name(self, syntax: Syntax) -> Node:
        def fail(message: str, hint: str) -> NoReturn:
            self.fail(syntax, message, hint)

        return resolve(syntax.value, self.scope, fail)

    # Logic.

    def _and(self, syntax: Syntax) -> Node:
        args = tuple(self.condition(arg) for arg in syntax.args)
        return And(args, any(arg.nullable for arg in args))

    def _or(self, syntax: Syntax) -> Node:
        args = tuple(self.condition(arg) for arg in syntax.args)
        return Or(args, any(arg.nullable for arg in args))

    def _not(self, syntax: Syntax) -> Node:
        arg = self.condition(syntax.args[0])
        return Not(arg, arg.nullable)

    def _is(self, syntax: Syntax) -> Node:
        (operand,) = syntax.args
        if syntax.value is not None:
            return IsTruth(self.condition(operand), syntax.value)
        if operand.op == "null":
            self.fail(operand, "expected a value, got NULL", "NULL stands in coalesce, CASE or nullif")
        return IsNull(self.any(operand))

    # Comparisons.

    def kind(self, op: str, left: Node, right: Node, syntax: Syntax) -> Kind:
        """Return what two operands are compared as. Raises where their types don't agree."""
        kinds = [ELEMENTS.get(node.type, node.type) for node in (left, right)]
        if left.type in LISTS and right.type in LISTS:
            self.fail(syntax, "a list can't be compared with a list", "write contains(a, x)")
        typed = [kind for kind in kinds if kind != "untyped"]
        if not typed:
            if op in ORDERS:
                self.fail(
                    syntax, f"both sides of {op} are untyped", f"write CAST({self.shown(left)} AS double)"
                )
            return "json"
        if len(typed) == 2 and typed[0] != typed[1]:
            # The literal is the easier side to write otherwise; of two names, the first.
            hint = (
                conversion(right, typed[0], self.scope.bare)
                if isinstance(right, Const)
                else conversion(left, typed[1], self.scope.bare)
            )
            self.fail(syntax, f"can't compare {NOUNS[left.type]} with {NOUNS[right.type]}", hint)
        if typed[0] == "interval" and len(typed) == 1:
            self.fail(syntax, "can't compare an interval with an untyped value", "")
        return as_kind(typed[0])

    def quotes(self, one: Syntax, other: Syntax, node: Node, against: Node) -> None:
        """Refuse `td_path = "/retail"`, which compares two columns and is hardly meant to."""
        if one.op != "name" or len(one.value) != 1 or not one.value[0][1] or isinstance(against, Const):
            return
        name = one.value[0][0]
        if isinstance(node, Ref) and node.kind == "column" and name not in (self.scope.columns or {}):
            self.fail(
                one,
                f"{double_quoted(name)} in double quotes is a column",
                f"text is in single quotes: '{name}'; a column here is written event.{double_quoted(name)}",
            )

    def _compare(self, syntax: Syntax) -> Node:
        op: CompareOp = syntax.value
        if any(arg.op == "null" for arg in syntax.args):
            hint = "use IS NOT NULL" if op in ("<>", "is distinct from") else "use IS NULL"
            self.fail(syntax, f"a comparison with NULL by {op.upper()} is never what it seems", hint)
        first, second = syntax.args
        for arg in syntax.args:
            if arg.op in ("compare", "in", "between", "like", "is", "not", "and", "or"):
                hint = "join conditions with AND, OR and NOT; a < b < c is written a < b AND b < c"
                self.fail(arg, "a condition can't be compared", hint)
        left, right = self.value(first), self.value(second)
        self.quotes(second, first, right, left)
        self.quotes(first, second, left, right)
        return self.compare(op, left, right, syntax)

    def compare(self, op: CompareOp, left: Node, right: Node, syntax: Syntax) -> Node:
        kind = self.kind(op, left, right, syntax)
        if op in ("<>", "is distinct from"):
            for items, other in ((left, right), (right, left)):
                if items.type in LISTS:
                    self.warn_of_any(op, self.shown(items), self.shown(other))
        if op.startswith("is"):
            return Compare(op, left, right, kind, left.type in LISTS or right.type in LISTS or kind == "json")
        return Compare(op, left, right, kind, self.unknowable(kind, left, right))

    def warn_of_any(self, op: str, items: str, other: str) -> None:
        self.warnings.append(
            f"{items} {op.upper()} … asks for an element that differs; "
            f"to ask that none is equal, write NOT contains({items}, {other})"
        )

    def unknowable(self, kind: Kind, *operands: Node) -> bool:
        """Whether a comparison of these can be unknown."""
        return any(node.nullable or node.type in ("untyped", "list") for node in operands)

    def _in(self, syntax: Syntax) -> Node:
        first, *rest = syntax.args
        subject = self.value(first)
        options, kinds, typed = [], [], ""
        for arg in rest:
            if arg.op == "null":
                self.fail(syntax, "NULL in IN (…) is equal to nothing", "use IS NULL")
            option = self.value(arg)
            self.quotes(arg, first, option, subject)
            kind = self.kind("=", subject, option, arg)
            if option.type not in ("untyped", "list"):
                if typed not in ("", kind):
                    self.fail(arg, f"IN (…) mixes {NOUNS[as_type(typed)]} and {NOUNS[as_type(kind)]}")
                typed = kind
            options.append(option)
            kinds.append(kind)
        return In(subject, tuple(options), tuple(kinds), self.unknowable("json", subject, *options))

    def _between(self, syntax: Syntax) -> Node:
        for arg in syntax.args:
            if arg.op == "null":
                self.fail(syntax, "a comparison with NULL by BETWEEN is never what it seems", "use IS NULL")
        subject, low, high = (self.value(arg) for arg in syntax.args)
        for arg, node in zip(syntax.args[1:], (low, high), strict=True):
            self.quotes(arg, syntax.args[0], node, subject)
            if node.type in LISTS:
                self.fail(arg, f"expected a bound of BETWEEN, got {NOUNS[node.type]}")
        found: list[Kind] = []
        for node, arg in ((low, syntax.args[1]), (high, syntax.args[2])):
            if any(ELEMENTS.get(operand.type, operand.type) != "untyped" for operand in (subject, node)):
                found.append(self.kind("<=", subject, node, arg))
        if not found:
            self.fail(
                syntax, "all sides of BETWEEN are untyped", f"write CAST({self.shown(subject)} AS double)"
            )
        if len(set(found)) > 1:
            self.fail(syntax, f"BETWEEN mixes {NOUNS[as_type(found[0])]} and {NOUNS[as_type(found[1])]}")
        return Between(subject, low, high, found[0], self.unknowable(found[0], subject, low, high))

    # Text.

    def subject(self, syntax: Syntax, where: str) -> Node:
        """Check what LIKE and its kin look at: text, or a list of texts, or untyped."""
        node = self.value(syntax)
        if node.type not in ("string", "untyped", "strings", "list"):
            self.fail(
                syntax,
                f"{where}: expected text, got {NOUNS[node.type]}",
                conversion(node, "string", self.scope.bare),
            )
        return node

    def literal(self, syntax: Syntax, what: str) -> str:
        if syntax.op != "text":
            hint = ""
            if syntax.op == "name" and len(syntax.value) == 1 and syntax.value[0][1]:
                hint = f"text is in single quotes: '{syntax.value[0][0]}'"
            self.fail(syntax, f"expected {what} in single quotes", hint)
        text: str = syntax.value
        return text

    def _like(self, syntax: Syntax) -> Node:
        subject = self.subject(syntax.args[0], "LIKE")
        pattern = self.literal(syntax.args[1], "a pattern")
        escape = self.literal(syntax.args[2], "an escape character") if len(syntax.args) > 2 else ""
        if len(syntax.args) > 2 and len(escape) != 1:
            self.fail(syntax.args[2], f"expected one character after ESCAPE, got {len(escape)}")
        if self.refused_by_like(pattern, escape):
            self.fail(syntax.args[1], f"expected %, _ or {escape} after the escape character {escape}")
        return Like(subject, pattern, escape, self.unknowable("string", subject))

    def refused_by_like(self, pattern: str, escape: str) -> bool:
        try:
            like.parts(pattern, escape)
        except like.LikeError:
            return True
        return False

    def call_regexp_like(self, syntax: Syntax) -> Node:
        subject = self.subject(syntax.args[0], "regexp_like")
        pattern = self.literal(syntax.args[1], "a pattern")
        problem = ""
        try:
            regexp.check(pattern)
        except regexp.RegexpError as error:
            problem = str(error)
        if problem:
            self.fail(syntax.args[1], f"expected a regular expression of RE2, but {problem}")
        return Regexp(subject, pattern, self.unknowable("string", subject))

    def call_starts_with(self, syntax: Syntax) -> Node:
        subject = self.subject(syntax.args[0], "starts_with")
        prefix = self.value(syntax.args[1])
        self.quotes(syntax.args[1], syntax.args[0], prefix, subject)
        if prefix.type not in ("string", "untyped"):
            self.fail(
                syntax.args[1],
                f"starts_with: expected text, got {NOUNS[prefix.type]}",
                conversion(prefix, "string", self.scope.bare),
            )
        return StartsWith(subject, prefix, self.unknowable("string", subject, prefix))

    def text_call(self, syntax: Syntax, name: Literal["lower", "upper", "trim", "length"]) -> Node:
        arg = self.place(syntax.args[0], "string", name)
        return Call(name, (arg,), "number" if name == "length" else "string", arg.nullable)

    def call_lower(self, syntax: Syntax) -> Node:
        return self.text_call(syntax, "lower")

    def call_upper(self, syntax: Syntax) -> Node:
        return self.text_call(syntax, "upper")

    def call_trim(self, syntax: Syntax) -> Node:
        return self.text_call(syntax, "trim")

    def call_length(self, syntax: Syntax) -> Node:
        return self.text_call(syntax, "length")

    def _concat(self, syntax: Syntax) -> Node:
        args = tuple(self.place(arg, "string", "||") for arg in syntax.args)
        return Call("concat", args, "string", any(arg.nullable for arg in args))

    # Numbers and times.

    def _arith(self, syntax: Syntax) -> Node:
        op = syntax.value
        left, right = (self.value(arg) for arg in syntax.args)
        if op in ("+", "-") and {left.type, right.type} & {"timestamp", "interval"}:
            return self.time_arith(op, left, right, syntax)
        first, second = syntax.args
        return Arith(op, self.placed(left, first, "number", op), self.placed(right, second, "number", op))

    def time_arith(self, op: Literal["+", "-"], left: Node, right: Node, syntax: Syntax) -> Node:
        if op == "+" and left.type == "interval" and right.type != "interval":
            left, right = right, left
        moment = As(left, "timestamp") if left.type == "untyped" else left
        if right.type == "interval" and moment.type == "timestamp":
            return Shift(moment, right, 1 if op == "+" else -1)
        since = As(right, "timestamp") if right.type == "untyped" else right
        if op == "-" and moment.type == "timestamp" and since.type == "timestamp":
            return Since(moment, since, moment.nullable or since.nullable)
        wanted = "a timestamp + an interval" if op == "+" else "a timestamp - an interval or a timestamp"
        hint = "write INTERVAL '7' DAY" if right.type == "number" else ""
        return self.fail(syntax, f"expected {wanted}, got {NOUNS[left.type]} {op} {NOUNS[right.type]}", hint)

    def _neg(self, syntax: Syntax) -> Node:
        arg = self.place(syntax.args[0], "number", "-")
        return Call("neg", (arg,), "number", arg.nullable)

    def call_abs(self, syntax: Syntax) -> Node:
        arg = self.place(syntax.args[0], "number", "abs")
        return Call("abs", (arg,), "number", arg.nullable)

    def call_round(self, syntax: Syntax) -> Node:
        arg = self.place(syntax.args[0], "number", "round")
        digits = 0
        if len(syntax.args) > 1:
            wanted = syntax.args[1]
            if wanted.op != "number" or wanted.value not in range(10) or not isinstance(wanted.value, int):
                self.fail(wanted, "round: expected the number of places as a literal, 0 to 9")
            digits = wanted.value
        return Call("round", (arg,), "number", arg.nullable, digits)

    def _cast(self, syntax: Syntax) -> Node:
        target = syntax.value
        operand = self.value(syntax.args[0])
        to = TARGET_TYPES[target]
        hint = NO_CAST.get((operand.type, to))
        if hint is not None or operand.type == "interval" or operand.type in LISTS:
            self.fail(syntax, f"{NOUNS[operand.type]} can't be cast to {target}", hint or "")
        keeps = operand.type == to and target not in ("bigint", "integer")
        total = keeps or (to == "string" and operand.type != "untyped")
        return Cast(operand, target, to, operand.nullable or not total)

    # Choice.

    def branches(self, what: str, args: list[Syntax]) -> tuple[tuple[Node, ...], Type]:
        """Check values of which one is chosen: all of one type, which untyped ones and NULL take."""
        nodes = [self.value(arg, "allowed") for arg in args]
        wanted: Type = "untyped"
        for arg, node in zip(args, nodes, strict=True):
            if node.type == "untyped":
                continue
            if wanted not in ("untyped", node.type):
                self.fail(arg, f"{what}: expected {NOUNS[wanted]} as before, got {NOUNS[node.type]}", "")
            wanted = node.type
        return tuple(
            self.taking(wanted, what, arg, node) for arg, node in zip(args, nodes, strict=True)
        ), wanted

    def taking(self, wanted: Type, what: str, arg: Syntax, node: Node) -> Node:
        if node.type != "untyped" or wanted == "untyped":
            return node
        if isinstance(node, Const):
            return Const(None, wanted)
        if wanted == "string" or wanted == "number" or wanted == "boolean" or wanted == "timestamp":
            return As(node, wanted)
        return self.fail(arg, f"{what}: expected {NOUNS[wanted]}, got an untyped value")

    def call_coalesce(self, syntax: Syntax) -> Node:
        args, kind = self.branches("coalesce", list(syntax.args))
        return Coalesce(args, kind, all(arg.nullable for arg in args))

    def call_nullif(self, syntax: Syntax) -> Node:
        (left, right), kind = self.branches("nullif", list(syntax.args))
        if kind in LISTS:
            self.fail(syntax, f"nullif: expected a value, got {NOUNS[kind]}")
        return Nullif(left, right, as_kind(kind), kind)

    def call_greatest(self, syntax: Syntax) -> Node:
        return self.extreme(syntax, "greatest")

    def call_least(self, syntax: Syntax) -> Node:
        return self.extreme(syntax, "least")

    def extreme(self, syntax: Syntax, name: Literal["greatest", "least"]) -> Node:
        for arg in syntax.args:
            if arg.op == "null":
                self.fail(
                    syntax, f"{name} with NULL is always NULL", "NULL stands in coalesce, CASE or nullif"
                )
        args, kind = self.branches(name, list(syntax.args))
        if kind == "untyped":
            self.fail(
                syntax, f"{name}: all values are untyped", f"write CAST({self.shown(args[0])} AS double)"
            )
        if kind in LISTS:
            self.fail(syntax, f"{name}: expected values, got {NOUNS[kind]}")
        return Extreme(name, args, kind, any(arg.nullable for arg in args))

    def _case(self, syntax: Syntax) -> Node:
        subject_syntax, default_syntax, *rest = syntax.args
        tests, values = rest[::2], rest[1::2]
        results, kind = self.branches("CASE", [*values, default_syntax])
        subject = self.value(subject_syntax, "allowed") if syntax.value else None
        kinds: list[Kind] = []
        checked = []
        for test in tests:
            if subject is None:
                checked.append(self.condition(test, "allowed"))
                continue
            other = self.value(test, "allowed")
            if Const(None, "untyped") in (subject, other):
                kinds.append("json")
            else:
                kinds.append(self.kind("=", subject, other, test))
            checked.append(other)
        nullable = any(result.nullable for result in results)
        return Case(
            subject, tuple(kinds), tuple(zip(checked, results, strict=False)), results[-1], kind, nullable
        )

    # Lists and the rest.

    def call_contains(self, syntax: Syntax) -> Node:
        items, item = (self.value(arg) for arg in syntax.args)
        self.quotes(syntax.args[1], syntax.args[0], item, items)
        if item.type in LISTS:
            self.fail(syntax.args[1], f"contains: expected one value to look for, got {NOUNS[item.type]}")
        if items.type == "string":
            self.warnings.append(
                f"contains({self.shown(items)}, …) compares a whole text; "
                f"to look inside it, write {self.shown(items)} LIKE '%…%'"
            )
        kind = self.kind("=", items, item, syntax)
        return Contains(items, item, kind, self.unknowable(kind, item) or items.nullable)

    def call_cardinality(self, syntax: Syntax) -> Node:
        operand = self.value(syntax.args[0])
        if operand.type not in LISTS and operand.type != "untyped":
            self.warnings.append(f"cardinality({self.shown(operand)}) of one value is 1 where it is not NULL")
        return Cardinality(operand, operand.nullable)

    def call_segment(self, syntax: Syntax) -> Node:
        segments = self.scope.segments
        if segments is None:
            self.fail(syntax, "segment(…) can't be used here")
        name = self.literal(syntax.args[0], "a segment's id")
        if name not in segments:
            self.fail(
                syntax.args[0],
                f"there is no segment '{name}'",
                did_you_mean(name, segments).replace('"', "'"),
            )
        return Ref("segment", name, "boolean", False)

    def _call(self, syntax: Syntax) -> Node:
        method = getattr(self, f"call_{syntax.value}")
        node: Node = method(syntax)
        return node
