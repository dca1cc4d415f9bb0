"""The meaning of every construct, point by point: NULL, untyped values, lists, times, dialects.

Each row is an expression, what its names hold, and what it comes to. `evaluate` also asserts that
every emitted form agrees with the slow walk.
"""

from __future__ import annotations

import pytest
from emitted import evaluate

from reactor.criteria import Name, Scope, compile_expression
from reactor.values import as_boolean, as_number, as_text, as_time

SCOPE = Scope(
    names={
        "n": Name("number"), "m": Name("number"), "s": Name("string"), "b": Name("boolean"),
        "t": Name("timestamp"),
        "u": Name("timestamp"), "ls": Name("strings"), "ln": Name("numbers"), "l": Name("list"),
        "visits": Name("number", nullable=False),
    },
    columns={}, now=True, before=True, segments=frozenset({"1"}),
)  # fmt: skip
DAY = 86_400_000
NULL = None

Row = dict[str, object]
Case = tuple[str, Row, object]

COMPARISON: list[Case] = [
    ("n > 3", {"n": 4}, True),
    ("n > 3", {"n": 3}, False),
    ("n > 3", {}, NULL),
    ("n = 3", {"n": 3.0}, True),
    ("n <> 3", {}, NULL),
    ("n = 9007199254740993", {"n": 9007199254740992.0}, False),
    ("s = 'a'", {"s": "a"}, True),
    ("s < 'b'", {"s": "a"}, True),
    ("s < '😀'", {"s": "\uffff"}, True),
    ("s = ''", {"s": ""}, True),
    ("b = TRUE", {"b": True}, True),
    ("b <> FALSE", {"b": True}, True),
    ("n BETWEEN m AND 5", {"n": 10}, False),
    ("n BETWEEN m AND 5", {"n": 3}, NULL),
    ("n NOT BETWEEN m AND 5", {"n": 10}, True),
    ("n BETWEEN 1 AND 5", {"n": 5}, True),
    ("n BETWEEN 5 AND 1", {"n": 3}, False),
    ("n IN (1, 2)", {"n": 2.0}, True),
    ("n IN (1, 2)", {"n": 3}, False),
    ("n IN (1, 2)", {}, NULL),
    ("n IN (1, m)", {"n": 3}, NULL),
    ("n IN (1, 1 / 0)", {"n": 3}, NULL),
    ("n IN (1, 1 / 0)", {"n": 1}, True),
    ("n NOT IN (1 / 0, m)", {"n": 1, "m": 2}, NULL),
    ("n IN (1 / 0)", {"n": 1}, NULL),
    ("n IN (1, m)", {"n": 1}, True),
    ("n NOT IN (1, m)", {"n": 3}, NULL),
    ("n NOT IN (1, 2)", {"n": 3}, True),
    ("n IS NULL", {}, True),
    ("n IS NOT NULL", {}, False),
    ("n IS DISTINCT FROM 1", {}, True),
    ("n IS DISTINCT FROM m", {}, False),
    ("n IS NOT DISTINCT FROM m", {"n": 1, "m": 1}, True),
    ("n IS NOT DISTINCT FROM m", {"n": 1}, False),
    ("segment('1')", {"1": True}, True),
    ("NOT segment('1')", {"1": False}, True),
]
LOGIC: list[Case] = [
    (f"{left} {op} {right}", {}, answer)
    for op, answers in {
        "AND": ((True, False, NULL), (False, False, False), (NULL, False, NULL)),
        "OR": ((True, True, True), (True, False, NULL), (True, NULL, NULL)),
    }.items()
    for left, row in zip(("TRUE", "FALSE", "(n > 1)"), answers, strict=True)
    for right, answer in zip(("TRUE", "FALSE", "(n > 1)"), row, strict=True)
] + [
    ("NOT n > 1", {}, NULL),
    ("NOT NOT n > 1", {"n": 2}, True),
    ("(n > 1) IS TRUE", {}, False),
    ("(n > 1) IS NOT TRUE", {}, True),
    ("(n > 1) IS FALSE", {"n": 0}, True),
    ("(n > 1) IS NOT FALSE", {}, True),
    ("(n > 1) IS NULL", {}, True),
    ("(n > 1) IS NOT NULL", {"n": 0}, True),
    ("b IS TRUE", {"b": True}, True),
    ("b IS NOT TRUE", {}, True),
    ("b AND n > 1", {"n": 0}, False),
]
ARITHMETIC: list[Case] = [
    ("n / 2", {"n": 7}, 3.5),
    ("n / m", {"n": 7, "m": 0}, NULL),
    ("n % m", {"n": 7, "m": 0}, NULL),
    ("n % 3", {"n": -7}, -1),
    ("n % 3", {"n": 7.5}, 1.5),
    ("n * 10", {"n": 1e308}, NULL),
    ("n + n - n", {"n": 1e308}, NULL),
    ("m / (n * 10)", {"n": 1e308, "m": 1}, NULL),
    ("n + 1", {}, NULL),
    ("n + m = 0.3", {"n": 0.1, "m": 0.2}, False),
    ("n + 0", {"n": 2**53 + 1}, 9007199254740992.0),
    ("n + m - m", {"n": 1, "m": 2**62}, 0),
    ("-n", {"n": 5}, -5),
    ("-n", {"n": 0}, 0),
    ("2 + 3 * 4", {}, 14),
    ("n - 1 - 1", {"n": 5}, 3),
    ("abs(n)", {"n": -2.5}, 2.5),
    ("round(n)", {"n": 2.5}, 3),
    ("round(n)", {"n": -2.5}, -3),
    ("round(n)", {"n": 0.49999999999999994}, 0),
    ("round(n, 2)", {"n": 2.675}, 2.68),
    ("round(n, 2)", {"n": 1.005}, 1),
    ("round(n, 9)", {"n": 1e308}, 1e308),
    ("round(n)", {}, NULL),
    ("greatest(1, n)", {}, NULL),
    ("greatest(1, n)", {"n": 2}, 2),
    ("least('b', s)", {"s": "a"}, "a"),
    ("greatest(n, m * 10)", {"n": 1, "m": 1e308}, NULL),
    ("least(n, m * 10)", {"n": 1, "m": 1e308}, NULL),
    ("n * 10 > 3", {"n": 1e308}, NULL),
    ("NOT n * 10 > 3", {"n": -1e308}, NULL),
    ("n * 10 IN (1, 2)", {"n": 1e308}, NULL),
    ("n * 10 BETWEEN 1 AND 2", {"n": 1e308}, NULL),
    ("abs(n * 10) IS NULL", {"n": 1e308}, True),
    ("round(n * 10) IS NULL", {"n": 1e308}, True),
    ("n * 10 % 3", {"n": 1e308}, NULL),
    ("nullif(n * 10, 3)", {"n": 1e308}, NULL),
    ("CASE n * 10 WHEN 1 THEN 1 ELSE 2 END", {"n": 1e308}, 2),
    ("coalesce(n * 10, 5)", {"n": 1e308}, 5),
    ("cast(n * 10 AS bigint)", {"n": 1e308}, NULL),
    ("cast(n * 10 AS varchar)", {"n": 1e308}, NULL),
    ("contains(ln, n * 10)", {"n": 1e308, "ln": [1]}, NULL),
    ("ln > n * 10", {"n": -1e308, "ln": [1]}, NULL),
    ("event.x > n * 10", {"n": -1e308, "x": 1}, NULL),
    ("event.x IN (n * 10)", {"n": 1e308, "x": 1}, NULL),
    ("cardinality(n * 10)", {"n": 1e308}, NULL),
    ("n * 10 IS DISTINCT FROM m", {"n": 1e308}, False),
]
TEXT: list[Case] = [
    ("s || '-' || s", {"s": "a"}, "a-a"),
    ("s || 'a'", {}, NULL),
    ("s LIKE 'a%'", {"s": "ab\nc"}, True),
    ("s LIKE 'a_'", {"s": "a\n"}, True),
    ("s LIKE '_'", {"s": "e\u0301"}, False),
    ("s LIKE '_'", {"s": "😀"}, True),
    ("s LIKE 'a%'", {}, NULL),
    ("s NOT LIKE 'a%'", {"s": "b"}, True),
    ("s NOT LIKE 'a%'", {}, NULL),
    ("s LIKE '100!%' ESCAPE '!'", {"s": "100%"}, True),
    ("s LIKE '100!%' ESCAPE '!'", {"s": "1000"}, False),
    ("s LIKE '!!' ESCAPE '!'", {"s": "!"}, True),
    ("s LIKE 'a\\%'", {"s": "a\\b"}, True),
    ("s LIKE ''", {"s": ""}, True),
    ("s LIKE '%'", {"s": ""}, True),
    ("s LIKE 'ab%ba'", {"s": "aba"}, False),
    ("s LIKE '%a%b%'", {"s": "xaxbx"}, True),
    ("lower(s)", {"s": "ÀB"}, "àb"),
    ("upper(s)", {"s": "straße"}, "STRASSE"),
    ("trim(s)", {"s": "  a\t "}, "a\t"),
    ("length(s)", {"s": "a😀"}, 2),
    ("length(s)", {"s": ""}, 0),
    ("starts_with(s, 'a')", {"s": "ab"}, True),
    ("starts_with(s, 'a')", {}, NULL),
    ("regexp_like(s, 'b')", {"s": "abc"}, True),
    ("regexp_like(s, '^b')", {"s": "abc"}, False),
    ("regexp_like(s, 'a.c')", {"s": "a\nc"}, False),
    ("regexp_like(s, 'a$')", {"s": "a\n"}, False),
    ("regexp_like(s, '\\d')", {"s": "١"}, False),
    ("regexp_like(s, '\\w')", {"s": "é"}, False),
    ("regexp_like(s, '(?i)ABC')", {"s": "abc"}, True),
    ("regexp_like(s, 'a')", {}, NULL),
]
CHOICE: list[Case] = [
    ("CASE NULL WHEN NULL THEN 1 ELSE 2 END", {}, 2),
    ("CASE WHEN n > 1 THEN 'a' END", {"n": 1}, NULL),
    ("CASE WHEN n > 1 THEN 'a' ELSE 'b' END", {}, "b"),
    ("CASE WHEN NULL THEN 1 ELSE 2 END", {}, 2),
    ("CASE n WHEN 1 THEN 'one' WHEN m THEN 'm' ELSE 'other' END", {"n": 2, "m": 2}, "m"),
    ("CASE n WHEN 1 THEN 'one' ELSE 'other' END", {}, "other"),
    ("CASE WHEN b THEN n ELSE NULL END", {"b": True, "n": 1}, 1),
    ("coalesce(n, m, 0)", {"m": 2}, 2),
    ("coalesce(n, m, 0)", {}, 0),
    ("coalesce(NULL, s)", {"s": "a"}, "a"),
    ("nullif(n, 0)", {"n": 0}, NULL),
    ("nullif(n, m)", {"n": 1}, 1),
    ("m / nullif(n, 0)", {"n": 0, "m": 1}, NULL),
    ("nullif(s, '')", {"s": ""}, NULL),
]
CASTS: list[Case] = [
    ("cast(n AS bigint)", {"n": 2.5}, 2),
    ("cast(n AS bigint)", {"n": 3.5}, 4),
    ("cast(n AS bigint)", {"n": -2.5}, -2),
    ("cast(n AS bigint)", {"n": 1e19}, NULL),
    ("cast(n AS integer)", {"n": 3e9}, NULL),
    ("cast(n AS varchar)", {"n": 1.0}, "1"),
    ("cast(n AS varchar)", {"n": 1e21}, "1e+21"),
    ("cast(b AS varchar)", {"b": True}, "true"),
    ("cast(t AS varchar)", {"t": 1488362400500}, "2017-03-01T10:00:00.500Z"),
    ("cast(s AS double)", {"s": "1e3"}, 1000),
    ("cast(s AS double)", {"s": "abc"}, NULL),
    ("try_cast(s AS bigint)", {"s": "12"}, 12),
    ("cast(s AS boolean)", {"s": "TRUE"}, True),
    ("cast(s AS boolean)", {"s": "t"}, NULL),
    ("cast(s AS timestamp)", {"s": "2017-03-01T10:00:00Z"}, 1488362400000),
    ("cast(s AS timestamp)", {"s": "soon"}, NULL),
    ("cast(n AS timestamp)", {"n": 1488362400.5}, 1488362400500),
    ("cast(n AS double)", {}, NULL),
]
UNTYPED: list[Case] = [
    *[
        ("event.x > 5", {"x": text}, NULL)
        for text in (" 12 ", "1_000", "0x10", "inf", "nan", "١٢", "", "abc", True)
    ],
    ("event.x > 5", {"x": "8700"}, True),
    ("event.x > 5", {"x": "+6."}, True),
    ("event.x > 5", {"x": "1e400"}, NULL),
    ("event.x = 7", {"x": 7}, True),
    ("event.x = 7", {"x": "7.0"}, True),
    ("event.x = '7'", {"x": 7.0}, True),
    ("event.x = 'true'", {"x": True}, True),
    ("event.x LIKE '7%'", {"x": 70}, True),
    ("lower(event.x)", {"x": True}, "true"),
    ("length(event.x)", {"x": 100}, 3),
    ("event.x", {"x": "TRUE"}, "TRUE"),
    ("event.x AND TRUE", {"x": "TRUE"}, True),
    ("event.x AND TRUE", {"x": "yes"}, NULL),
    ("event.x AND TRUE", {"x": 1}, NULL),
    ("event.x = TRUE", {"x": "False"}, False),
    ("event.x = TRUE", {"x": "1"}, NULL),
    ("event.x = 1", {"x": True}, NULL),
    ("event.x + 1", {"x": "2"}, 3),
    ("event.x || 'a'", {"x": 1.5}, "1.5a"),
    ("event.x > TIMESTAMP '2017-03-01'", {"x": "2017-03-01T00:00:01Z"}, True),
    ("event.x > TIMESTAMP '2017-03-01'", {"x": 1488326401}, True),
    ("event.x > TIMESTAMP '2017-03-01'", {"x": "soon"}, NULL),
    ("event.x - INTERVAL '1' DAY", {"x": "1970-01-02"}, 0),
    ("event.x = event.y", {"x": 1, "y": 1.0}, True),
    ("event.x = event.y", {"x": 1, "y": "1"}, False),
    ("event.x = event.y", {"x": 1, "y": True}, False),
    ("event.x = event.y", {"x": 1}, NULL),
    ("event.x IN (event.y, event.z)", {"x": 1, "y": "1", "z": 1.0}, True),
    ("event.x IS DISTINCT FROM event.y", {"x": 1, "y": "1"}, True),
    ("contains(event.x, event.y)", {"x": [1, "1"], "y": "1"}, True),
    ("event.x IN ('a', 'b')", {"x": "b"}, True),
    ("event.x NOT IN (1, 2)", {"x": "3"}, True),
    ("event.x NOT IN (1, 2)", {"x": "c"}, NULL),
    ("coalesce(event.x, 0)", {"x": "12"}, 12),
    ("coalesce(event.x, 0)", {"x": "abc"}, 0),
    ("coalesce(event.x, event.y)", {"y": "b"}, "b"),
    ("greatest(event.x, 1)", {"x": "12"}, 12),
    ("nullif(event.x, 'a')", {"x": 1}, "1"),
    ("event.x IS NULL", {"x": []}, False),
    ("event.a.b = 'c'", {"a.b": "c"}, True),
]
LISTS: list[Case] = [
    ("ls = 'a'", {"ls": ["b", "a"]}, True),
    ("ls = 'a'", {"ls": []}, False),
    ("ls = 'a'", {}, NULL),
    ("ls = s", {"ls": []}, False),
    ("ls = s", {"ls": ["a"]}, NULL),
    ("ls <> 'a'", {"ls": ["a", "b"]}, True),
    ("ls <> 'a'", {"ls": ["a"]}, False),
    ("NOT ls = 'a'", {"ls": ["b"]}, True),
    ("ln > 3", {"ln": [1, 5]}, True),
    ("3 > ln", {"ln": [1, 5]}, True),
    ("3 > ln", {"ln": [4, 5]}, False),
    ("l > 3", {"l": ["x", 5]}, True),
    ("l > 3", {"l": ["x", 1]}, NULL),
    ("l > 3", {"l": [1, "2"]}, False),
    ("ls IN ('a', 'b')", {"ls": ["c", "b"]}, True),
    ("ls NOT IN ('a')", {"ls": ["b", "c"]}, True),
    ("ls NOT IN ('a', nullif('b', 'b'))", {"ls": []}, True),
    ("ls NOT IN ('a', nullif('b', 'b'))", {"ls": ["c"]}, NULL),
    ("event.x IN (1, 1 / 0)", {"x": []}, False),
    ("ls NOT IN ('a')", {"ls": ["a", "c"]}, False),
    ("ls LIKE 'a%'", {"ls": ["b", "ab"]}, True),
    ("ln BETWEEN 2 AND 3", {"ln": [1, 4]}, False),
    ("ln BETWEEN 2 AND 3", {"ln": [1, 2]}, True),
    ("regexp_like(ls, '^a$')", {"ls": ["b", "a"]}, True),
    ("starts_with(ls, 'a')", {"ls": ["b"]}, False),
    ("event.x = 'a'", {"x": ["b", "a"]}, True),
    ("event.x > 3", {"x": ["b", "5"]}, True),
    ("event.x > 3", {"x": ["b", "1"]}, NULL),
    ("event.x LIKE 'a%'", {"x": ["b"]}, False),
    ("event.x = event.y", {"x": [1, 2], "y": 2}, True),
    ("event.x = event.y", {"x": [1, 2], "y": [2]}, NULL),
    ("ls = event.x", {"ls": ["a"], "x": ["a"]}, NULL),
    ("event.x + 1", {"x": [1]}, NULL),
    ("lower(event.x)", {"x": ["A"]}, NULL),
    ("cast(event.x AS double)", {"x": [1]}, NULL),
    ("cast(event.x AS timestamp)", {"x": [1]}, NULL),
    ("event.x AND TRUE", {"x": [True]}, NULL),
    ("contains(ls, 'a')", {"ls": ["a"]}, True),
    ("contains(ls, 'a')", {"ls": []}, False),
    ("contains(ls, 'a')", {}, NULL),
    ("contains(ls, s)", {"ls": ["a"]}, NULL),
    ("contains(ln, 2)", {"ln": [1, 2.0]}, True),
    ("contains(event.x, 2)", {"x": ["a", "2"]}, True),
    ("contains(event.x, 'b')", {"x": "abc"}, False),
    ("contains(event.x, 'abc')", {"x": "abc"}, True),
    ("contains(s, 'b')", {"s": "abc"}, False),
    ("contains(event.x, 2)", {"x": ["a"]}, False),
    ("contains(event.x, event.y)", {"x": [1], "y": [1]}, NULL),
    ("cardinality(ls)", {"ls": ["a", "b"]}, 2),
    ("cardinality(ls)", {}, NULL),
    ("cardinality(event.x)", {"x": "a"}, 1),
    ("cardinality(event.x)", {"x": []}, 0),
    ("ls IS DISTINCT FROM 'a'", {}, True),
    ("ls IS DISTINCT FROM 'a'", {"ls": ["a"]}, False),
    ("ls IS NOT DISTINCT FROM 'a'", {"ls": ["b", "a"]}, True),
]
TIMES: list[Case] = [
    ("now", {"now": 5}, 5),
    ("now - INTERVAL '60' DAY", {"now": 60 * DAY}, 0),
    ("INTERVAL '1' DAY + now", {"now": 0}, DAY),
    ("now + INTERVAL '1' HOUR + INTERVAL '1' MINUTE + INTERVAL '1' SECOND", {"now": 0}, 3_661_000),
    ("t < now - INTERVAL '1' DAY", {"t": 0, "now": DAY + 1}, True),
    ("t < now", {"now": 0}, NULL),
    ("now - t > INTERVAL '1' DAY", {"t": 0, "now": DAY}, False),
    ("t - u", {"t": 3, "u": 1}, 2),
    ("t - INTERVAL '999999999' DAY", {"t": 0}, NULL),
    ("t + INTERVAL '9999' DAY", {"t": 253_402_300_799_999}, NULL),
    ("t - INTERVAL '-1' DAY", {"t": 0}, DAY),
    ("t = TIMESTAMP '1970-01-01 01:00:00+01:00'", {"t": 0}, True),
    ("t = TIMESTAMP '1970-01-01T00:00:00.001Z'", {"t": 1}, True),
    ("coalesce(t, TIMESTAMP '1970-01-01')", {}, 0),
    ("before.n < 5 AND n >= 5", {"before.n": 4, "n": 5}, True),
]
CASES = [
    (group, *case)
    for group, cases in {
        "comparison": COMPARISON, "logic": LOGIC, "arithmetic": ARITHMETIC, "text": TEXT, "choice": CHOICE,
        "casts": CASTS, "untyped": UNTYPED, "lists": LISTS, "times": TIMES,
    }.items()
    for case in cases
]  # fmt: skip


@pytest.mark.parametrize(("group", "text", "row", "expected"), CASES)
def test_meaning(group: str, text: str, row: Row, expected: object) -> None:
    """Would catch a change of any rule of the definition, in the walk or in emitted code."""
    got = evaluate(text, SCOPE, row)
    assert (expected, isinstance(expected, bool)) == (got, isinstance(got, bool))


def test_nothing_is_read_that_is_not_named() -> None:
    """`refs` are the distinct names in order of first use: what a plan reads, and what redacts a section."""
    expression = compile_expression(
        "n > 1 AND s = 'a' AND (m > 1 OR n > before.n) AND now > t", SCOPE, "condition"
    )
    assert [("before." if ref.before else "") + ref.name for ref in expression.refs] == [
        "n", "s", "m", "before.n", "now", "t",
    ]  # fmt: skip
    assert not expression.constant
    constant = compile_expression("1 > 2", SCOPE, "condition")
    assert (constant.constant, constant.value) == (True, False)


def test_a_condition_is_no_operand_but_may_be_a_value() -> None:
    """`visits >= 3` in a payload is a boolean."""
    assert evaluate("visits >= 3", SCOPE, {"visits": 3}) is True
    assert compile_expression("visits >= 3", SCOPE, "value").nullable is False


def test_conversions_are_those_of_values() -> None:
    """The casts and the untyped views are `reactor.values`', so that a column is read in one way only."""
    for value in ("12", " 12", "TRUE", "yes", 1.5, True, "2017-03-01", [1]):
        for view, target in (
            (as_number, "double"),
            (as_text, "varchar"),
            (as_boolean, "boolean"),
            (as_time, "timestamp"),
        ):
            assert evaluate(f"cast(event.x AS {target})", SCOPE, {"x": value}) == view(value)
