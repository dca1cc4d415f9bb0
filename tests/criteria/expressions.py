"""Random expressions of criteria, each also written for DuckDB with the rewrites of law L9.

Everything comes from the `random.Random` given, so that an expression can be had again.

    maker = Expressions(random.Random(7), typed())
    maker.condition(3)      # Pair(ours="(n1 > 2.5 AND s1 IS NULL)", duck="…")
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["number", "text", "boolean", "time", "texts", "numbers"]

NUMBERS = (0, 1, -1, 2, 3, 7, -7, 10, 0.1, 0.2, 0.3, 2.5, -2.5, 2.675, 0.5, 1e308, -1e308, 1e-7, 2**53, 1e15)
TEXTS = (
    "",
    "a",
    "b",
    "ab",
    "ba",
    "A",
    "aB",
    " a ",
    "\ta",
    "a%b",
    "a_b",
    "é",
    "日本",
    "x😀y",
    "12",
    "-3.5",
    "1e3",
    "true",
    "FALSE",
    "a\nb",
    "/retail/shoes/product/1",
)
TIMES = (0, 1_488_362_400_000, 1_488_362_400_500, 951_782_400_000, 4_102_444_800_000, 1_500_000_000_123)
MOMENTS = ("2017-03-01", "2017-03-01 10:00:00.5", "2000-02-29 00:00:00")
PATTERNS = (
    "a%",
    "%b",
    "%a%",
    "_",
    "a_b",
    "%",
    "",
    "a!%b",
    "%!_%",
    "a%b",
    "_%_",
    "/retail/%/product/%",
    "%é%",
)
REGEXPS = (
    "a", "^a", "b$", "^a.*b$", "^/retail/.*/product/", "[a-b]+", "^$", ".", "a.*b", r"\d", "(?i)AB", "^.*$",
    r"^\w+$", "a|é",
)  # fmt: skip
UNITS_MS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1_000}


class Pair(NamedTuple):
    """One expression, as we and as DuckDB write it."""

    ours: str
    duck: str


Names: TypeAlias = Mapping[Kind, Sequence[str]]


def typed() -> dict[Kind, tuple[str, ...]]:
    """Return names of which each has one type."""
    return {
        "number": ("n1", "n2", "n3"),
        "text": ("s1", "s2", "s3"),
        "boolean": ("b1", "b2"),
        "time": ("t1", "t2"),
        "texts": ("ls",),
        "numbers": ("ln",),
    }


def mixed() -> dict[Kind, tuple[str, ...]]:
    """Return names of which the columns of the event may hold anything."""
    columns = ("event.u1", "event.u2", "event.u3")
    names = typed()
    return {kind: (*columns, *found) for kind, found in names.items() if kind not in ("texts", "numbers")} | {
        "texts": ("ls", *columns, "l"),
        "numbers": ("ln", *columns, "l"),
    }


def quoted(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def both(text: str) -> Pair:
    """Return what is written alike on both sides."""
    return Pair(text, text)


class Expressions:
    """Makes expressions. depth: how many levels of operators at most."""

    def __init__(self, rng: random.Random, names: Names, *, plain: bool = True) -> None:
        self.rng = rng
        self.names = names
        self.plain = plain

    # Values

    def name(self, kind: Kind) -> Pair:
        return both(self.rng.choice(self.names[kind]))

    def value(self, kind: Kind, depth: int) -> Pair:
        makers: dict[Kind, Callable[[int], Pair]] = {
            "number": self.number,
            "text": self.text,
            "boolean": self.boolean,
            "time": self.time,
            "texts": lambda _: self.name("texts"),
            "numbers": lambda _: self.name("numbers"),
        }
        return makers[kind](depth)

    def literal(self, kind: Kind) -> Pair:
        if kind == "number":
            number = self.rng.choice(NUMBERS)
            text = repr(number)
            return Pair(f"({text})" if number < 0 else text, f"CAST({text} AS DOUBLE)")
        if kind == "time":
            return both(f"TIMESTAMP {quoted(self.rng.choice(MOMENTS))}")
        if kind == "boolean":
            return both(self.rng.choice(("TRUE", "FALSE")))
        return both(quoted(self.rng.choice(TEXTS)))

    def number(self, depth: int) -> Pair:
        if depth <= 0 or self.rng.random() < 0.3:
            return self.name("number") if self.rng.random() < 0.7 else self.literal("number")
        return self.rng.choice((self.arithmetic, self.arithmetic, self.number_function, self.chosen_number))(
            depth - 1
        )

    def arithmetic(self, depth: int) -> Pair:
        op = self.rng.choice("+-*/%")
        left, right = self.number(depth), self.number(depth)
        divisor = f"nullif({right.duck}, 0)" if op in "/%" else right.duck
        return Pair(f"({left.ours} {op} {right.ours})", f"finite({left.duck} {op} {divisor})")

    def number_function(self, depth: int) -> Pair:
        one = self.number(depth)
        digits = self.rng.randint(0, 9)
        target = self.rng.choice(("bigint", "double"))
        found = [
            Pair(f"abs({one.ours})", f"abs({one.duck})"),
            Pair(f"round({one.ours})", f"round({one.duck})"),
            Pair(f"round({one.ours}, {digits})", f"round({one.duck}, {digits})"),
            Pair(f"(- {one.ours})", f"(- {one.duck})"),
            Pair(f"cast({one.ours} AS {target})", f"CAST(TRY_CAST({one.duck} AS {target}) AS DOUBLE)"),
        ]
        text = self.text(depth)
        found.append(Pair(f"length({text.ours})", f"CAST(length({text.duck}) AS DOUBLE)"))
        found.append(Pair(f"TRY_CAST({text.ours} AS double)", f"TRY_CAST({text.duck} AS DOUBLE)"))
        items = self.name(self.rng.choice(("texts", "numbers")))
        found.append(Pair(f"cardinality({items.ours})", f"CAST(len({items.duck}) AS DOUBLE)"))
        return self.rng.choice(found)

    def chosen_number(self, depth: int) -> Pair:
        return self.chosen("number", depth)

    def chosen(self, kind: Kind, depth: int) -> Pair:
        """CASE, coalesce, nullif, greatest or least."""
        first, second, third = (self.value(kind, depth) for _ in range(3))
        form = self.rng.randint(0, 5)
        if form == 0:
            test = self.condition(depth)
            other = "" if self.rng.random() < 0.3 else " ELSE {}"
            ends = (other.format(second.ours), other.format(second.duck))
            return Pair(
                f"CASE WHEN {test.ours} THEN {first.ours}{ends[0]} END",
                f"CASE WHEN {test.duck} THEN {first.duck}{ends[1]} END",
            )
        if form == 1:
            about: Kind = self.rng.choice(("number", "text"))
            subject, one, two = (self.value(about, depth) for _ in range(3))
            form_of = "CASE {} WHEN {} THEN {} WHEN {} THEN {} ELSE {} END".format
            parts = (subject, one, first, two, second, third)
            return Pair(form_of(*(part.ours for part in parts)), form_of(*(part.duck for part in parts)))
        if form == 2:
            return Pair(f"coalesce({first.ours}, {second.ours})", f"coalesce({first.duck}, {second.duck})")
        if form == 3:
            return Pair(f"nullif({first.ours}, {second.ours})", f"nullif({first.duck}, {second.duck})")
        name = "greatest" if form == 4 else "least"
        sides = (first, second)
        nulls = " OR ".join(f"({side.duck}) IS NULL" for side in sides)
        return Pair(
            f"{name}({', '.join(side.ours for side in sides)})",
            f"CASE WHEN {nulls} THEN NULL ELSE {name}({', '.join(side.duck for side in sides)}) END",
        )

    def text(self, depth: int) -> Pair:
        if depth <= 0 or self.rng.random() < 0.4:
            return self.name("text") if self.rng.random() < 0.7 else self.literal("text")
        if self.rng.random() < 0.4:
            return self.chosen("text", depth - 1)
        one, two = self.text(depth - 1), self.text(depth - 1)
        flag = self.boolean(0)
        return self.rng.choice(
            (
                Pair(f"({one.ours} || {two.ours})", f"({one.duck} || {two.duck})"),
                Pair(f"lower({one.ours})", f"lower({one.duck})"),
                Pair(f"upper({one.ours})", f"upper({one.duck})"),
                Pair(f"trim({one.ours})", f"trim({one.duck})"),
                Pair(f"cast({flag.ours} AS varchar)", f"CAST({flag.duck} AS VARCHAR)"),
            )
        )

    def boolean(self, depth: int) -> Pair:
        if depth <= 0 or self.rng.random() < 0.6:
            return self.name("boolean") if self.rng.random() < 0.8 else self.literal("boolean")
        if self.rng.random() < 0.3:
            text = self.text(depth - 1)
            return Pair(f"cast({text.ours} AS boolean)", f"as_boolean({text.duck})")
        return self.chosen("boolean", depth - 1)

    def interval(self) -> Pair:
        unit = self.rng.choice(tuple(UNITS_MS))
        return both(f"INTERVAL '{self.rng.choice((0, 1, 30, 365))}' {unit}")

    def time(self, depth: int) -> Pair:
        if depth <= 0 or self.rng.random() < 0.4:
            return self.name("time") if self.rng.random() < 0.8 else self.literal("time")
        if self.rng.random() < 0.4:
            return self.chosen("time", depth - 1)
        one, by, op = self.time(depth - 1), self.interval(), self.rng.choice("+-")
        return (
            both(f"({one.ours} {op} {by.ours})")
            if one.ours == one.duck
            else Pair(f"({one.ours} {op} {by.ours})", f"({one.duck} {op} {by.duck})")
        )

    # Conditions

    def condition(self, depth: int) -> Pair:
        if depth <= 0:
            return self.leaf(0)
        form = self.rng.randint(0, 9)
        if form < 4:
            return self.leaf(depth - 1)
        one = self.condition(depth - 1)
        if form < 8:
            two, op = self.condition(depth - 1), self.rng.choice(("AND", "OR"))
            return Pair(f"({one.ours} {op} {two.ours})", f"({one.duck} {op} {two.duck})")
        if form == 8:
            return Pair(f"(NOT {one.ours})", f"(NOT {one.duck})")
        what = self.rng.choice(("TRUE", "FALSE", "NOT TRUE", "NOT FALSE", "NULL", "NOT NULL"))
        return Pair(f"({one.ours} IS {what})", f"(({one.duck}) IS {what})")

    def leaf(self, depth: int) -> Pair:
        makers = (
            self.comparison, self.comparison, self.comparison, self.membership, self.between, self.like,
            self.regexp, self.prefix, self.null_test, self.list_test, self.list_test, self.contains,
            self.truth, self.interval_test,
        )  # fmt: skip
        return self.rng.choice(makers)(depth)

    def comparison(self, depth: int) -> Pair:
        kind: Kind = self.rng.choice(("number", "number", "text", "time", "boolean"))
        ops = ("=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
        op = self.rng.choice(ops if kind == "boolean" else (*ops, "<", "<=", ">", ">="))
        one, two = self.value(kind, depth), self.value(kind, depth)
        return Pair(f"({one.ours} {op} {two.ours})", f"({one.duck} {op} {two.duck})")

    def interval_test(self, depth: int) -> Pair:
        one, two, by = self.time(depth), self.time(depth), self.interval()
        op = self.rng.choice(("=", "<>", "<", "<=", ">", ">="))
        return Pair(
            f"({one.ours} - {two.ours} {op} {by.ours})",
            f"(epoch_ms({one.duck}) - epoch_ms({two.duck}) {op} {_interval_ms(by)})",
        )

    def membership(self, depth: int) -> Pair:
        kind: Kind = self.rng.choice(("number", "text"))
        subject = self.value(kind, depth)
        options = [
            self.literal(kind) if self.rng.random() < 0.7 else self.value(kind, depth)
            for _ in range(self.rng.randint(1, 4))
        ]
        negated = self.rng.choice(("", "NOT "))
        return Pair(
            f"({subject.ours} {negated}IN ({', '.join(option.ours for option in options)}))",
            f"({subject.duck} {negated}IN ({', '.join(option.duck for option in options)}))",
        )

    def between(self, depth: int) -> Pair:
        kind: Kind = self.rng.choice(("number", "text", "time"))
        one, low, high = (self.value(kind, depth) for _ in range(3))
        word = self.rng.choice(("BETWEEN", "NOT BETWEEN"))
        return Pair(
            f"({one.ours} {word} {low.ours} AND {high.ours})",
            f"({one.duck} {word} {low.duck} AND {high.duck})",
        )

    def like(self, depth: int) -> Pair:
        return self.of_text(depth, *self.like_test())

    def like_test(self) -> tuple[str, str]:
        pattern = self.rng.choice(PATTERNS)
        escape = " ESCAPE '!'" if "!" in pattern else ""
        word = self.rng.choice(("LIKE", "NOT LIKE"))
        return (f"({{}} {word} {quoted(pattern)}{escape})",) * 2

    def regexp(self, depth: int) -> Pair:
        pattern = quoted(self.rng.choice(REGEXPS))
        return self.of_text(depth, f"regexp_like({{}}, {pattern})", f"regexp_matches({{}}, {pattern})")

    def of_text(self, depth: int, ours: str, duck: str) -> Pair:
        subject = self.text(depth)
        return Pair(ours.format(subject.ours), duck.format(subject.duck))

    def prefix(self, depth: int) -> Pair:
        one, two = self.text(depth), self.text(depth)
        return Pair(f"starts_with({one.ours}, {two.ours})", f"starts_with({one.duck}, {two.duck})")

    def null_test(self, depth: int) -> Pair:
        kind: Kind = self.rng.choice(("number", "text", "boolean", "time", "texts"))
        one, word = self.value(kind, depth), self.rng.choice(("NULL", "NOT NULL"))
        return Pair(f"({one.ours} IS {word})", f"(({one.duck}) IS {word})")

    def list_test(self, depth: int) -> Pair:
        """A list against a value: DuckDB has no ANY over lists with lambdas, so it is written out."""
        form = self.rng.randint(0, 3)
        if form == 0:
            test, duck = self.like_test()
            if "NOT LIKE" in test:  # the contrary of the whole, and not of each element
                test, duck = test.replace("NOT LIKE", "LIKE"), duck.replace("NOT LIKE", "LIKE")
            items = self.name("texts")
            return Pair(
                test.format(items.ours), any_element(items.duck, "NULL", duck.format("e"), known=True)
            )
        kind: Kind = self.rng.choice(("text", "number"))
        items = self.name("texts" if kind == "text" else "numbers")
        if form == 1:
            options = [self.literal(kind) for _ in range(self.rng.randint(1, 3))]
            ours = ", ".join(option.ours for option in options)
            duck = ", ".join(option.duck for option in options)
            return Pair(
                f"({items.ours} IN ({ours}))", any_element(items.duck, "NULL", f"e IN ({duck})", known=True)
            )
        op = self.rng.choice(("=", "<>", "<", "<=", ">", ">="))
        other = self.value(kind, depth)
        return Pair(
            f"({items.ours} {op} {other.ours})", any_element(items.duck, other.duck, f"e {op} {other.duck}")
        )

    def contains(self, depth: int) -> Pair:
        kind: Kind = self.rng.choice(("text", "number"))
        items, item = self.name("texts" if kind == "text" else "numbers"), self.value(kind, depth)
        return Pair(
            f"contains({items.ours}, {item.ours})",
            f"CASE WHEN {items.duck} IS NULL OR ({item.duck}) IS NULL THEN NULL "
            f"ELSE list_contains({items.duck}, {item.duck}) END",
        )

    def truth(self, depth: int) -> Pair:
        return self.boolean(depth)


def any_element(items: str, other: str, test: str, *, known: bool = False) -> str:
    """Return DuckDB's way to say that an element of `items` makes `test` true, three-valued."""
    unknown = "" if known else f"WHEN ({other}) IS NULL THEN NULL "
    return (
        f"CASE WHEN {items} IS NULL THEN NULL WHEN len({items}) = 0 THEN false {unknown}"
        f"ELSE list_bool_or(list_transform({items}, lambda e: {test})) END"
    )


def _interval_ms(interval: Pair) -> int:
    _, amount, unit = interval.ours.split()
    return int(amount.strip("'")) * UNITS_MS[unit]


def typed_row(rng: random.Random) -> dict[str, object]:
    """Return a row for `typed()`, with NULLs."""

    def maybe(value: object) -> object:
        return None if rng.random() < 0.2 else value

    def number() -> float:
        return rng.choice(NUMBERS) if rng.random() < 0.7 else round(rng.uniform(-10, 10), rng.randint(0, 3))

    row: dict[str, object] = {name: maybe(number()) for name in ("n1", "n2", "n3")}
    row |= {name: maybe(rng.choice(TEXTS)) for name in ("s1", "s2", "s3")}
    row |= {name: maybe(rng.random() < 0.5) for name in ("b1", "b2")}
    row |= {name: maybe(rng.choice(TIMES)) for name in ("t1", "t2")}
    row["ls"] = maybe([rng.choice(TEXTS) for _ in range(rng.randint(0, 3))])
    row["ln"] = maybe([number() for _ in range(rng.randint(0, 3))])
    return row


def mixed_row(rng: random.Random) -> dict[str, object]:
    """Return a row for `mixed()`: its columns `u1` to `u3` hold any kind of value."""

    def scalar() -> object:
        return rng.choice(
            (
                rng.choice(TEXTS), rng.choice(TEXTS), rng.choice(NUMBERS), str(rng.choice(NUMBERS)),
                rng.random() < 0.5, 2**63 - 1, -(2**53) - 1, "2017-03-01T10:00:00Z", 1_488_362_400,
            )
        )  # fmt: skip

    def anything() -> object:
        form = rng.random()
        if form < 0.15:
            return None
        return [scalar() for _ in range(rng.randint(0, 3))] if form < 0.35 else scalar()

    row = typed_row(rng)
    row |= {name: anything() for name in ("u1", "u2", "u3")}
    row["l"] = None if rng.random() < 0.2 else [scalar() for _ in range(rng.randint(0, 3))]
    return row
