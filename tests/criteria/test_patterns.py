"""LIKE and regular expressions: the fast forms mean what the slow ones do, and take linear time."""

from __future__ import annotations

import re
import time

import pytest
from emitted import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.criteria import Name, Ref, Scope, compile_expression, like, regexp

SCOPE = Scope(names={"s": Name("string")})
TEXTS = st.text(alphabet="ab./$\n%_é", max_size=12)
PIECES = st.lists(
    st.sampled_from(["a", "b", ".*", "^", "$", r"\.", "ab", ".*?", ".", "/", r"\$", "é"]), max_size=6
)


def quoted(pattern: str) -> str:
    return "'" + pattern.replace("'", "''") + "'"


def emitted(condition: str, text: str) -> bool:
    """Run the emitted test of one text."""
    expression = compile_expression(condition, SCOPE, "condition")
    run, _ = compiled(expression, "condition")
    return bool(run({Ref("profile", "s", "string", True): text}))


@settings(max_examples=800)
@given(PIECES, st.booleans(), st.booleans(), st.lists(TEXTS, min_size=3, max_size=6))
def test_simple_patterns_mean_what_re2_says(
    pieces: list[str], start: bool, end: bool, texts: list[str]
) -> None:
    """Would catch a `.*` that crosses a newline, or a `$` that stands before one."""
    pattern = "^" * start + "".join(pieces) + "$" * end
    try:
        regexp.check(pattern)
    except regexp.RegexpError:
        return
    fast, slow = regexp.matcher(pattern), regexp.by_re2(pattern)
    for text in texts:
        assert fast(text) is slow(text), (pattern, text)
        assert emitted(f"regexp_like(s, {quoted(pattern)})", text) is slow(text), (pattern, text)


SIMPLE = [
    ("abc", ("abc",), False, False),
    ("^abc", ("abc",), True, False),
    ("abc$", ("abc",), False, True),
    ("^abc$", ("abc",), True, True),
    ("^$", ("",), True, True),
    ("", ("",), False, False),
    ("^/retail/.*/product/", ("/retail/", "/product/"), True, False),
    ("^/retail/.*/product/.*", ("/retail/", "/product/"), True, False),
    (".*abc.*", ("abc",), False, False),
    ("^.*abc", ("", "abc"), True, False),
    (r"a\.b\/c", ("a.b/c",), False, False),
    ("a.*.*b", ("a", "b"), False, False),
]


@pytest.mark.parametrize(("pattern", "literals", "start", "end"), SIMPLE)
def test_simple_patterns(pattern: str, literals: tuple[str, ...], start: bool, end: bool) -> None:
    assert regexp.Simple(literals, start, end) == regexp.simple(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "a+",
        "a.b",
        "[ab]",
        "a|b",
        "(a)",
        "a?",
        "a{2}",
        r"\d",
        "a*",
        "^*",
        "a^b",
        "a$b",
        "(?i)a",
        "a.*+",
        r"\Qa\E",
    ],
)
def test_other_patterns_are_left_to_re2(pattern: str) -> None:
    assert regexp.simple(pattern) is None


REFUSED = [
    ("(?=a)", "RE2 has no look-ahead (?=…)"),
    ("(?!a)", "RE2 has no negative look-ahead (?!…)"),
    ("(?<=a)b", "RE2 has no look-behind (?<=…)"),
    ("(?<!a)b", "RE2 has no negative look-behind (?<!…)"),
    (r"(a)\1", r"RE2 has no back-reference \1"),
    ("(?P<n>a)(?P=n)", "RE2 has no back-reference (?P=…)"),
    (r"(?<n>a)\k<n>", r"RE2 has no back-reference \k<…>"),
    ("(?>a)", "RE2 has no atomic group (?>…)"),
    ("a++", "RE2 has no possessive repetition ++"),
    ("a(?#b)", "RE2 has no comment (?#…)"),
    ("(?(1)a|b)", "RE2 has no conditional (?(…)…)"),
    ("(?R)", "RE2 has no recursion (?R)"),
    (r"a\Z", r"RE2 has not the escape \Z"),
    (r"\u0041", r"RE2 has not the escape \u"),
    ("[(?=](?!b)", "RE2 has no negative look-ahead (?!…)"),
    ("[a", "RE2 can't run it: missing ]: [a"),
    ("(a", "RE2 can't run it: missing ): (a"),
    ("*a", "RE2 can't run it: no argument for repetition operator: *"),
    ("a{1001}", "RE2 can't run it: invalid repetition size: {1001}"),
    ("a\ud800", "it has a lone surrogate"),
]


@pytest.mark.parametrize(("pattern", "message"), REFUSED)
def test_what_re2_can_not_run_is_named(pattern: str, message: str) -> None:
    with pytest.raises(regexp.RegexpError, match=re.escape(message) + "$"):
        regexp.check(pattern)


@settings(max_examples=1_000)
@given(
    st.text(alphabet="ab%_!\n", max_size=8),
    st.sampled_from(["", "!", "a"]),
    st.lists(TEXTS, min_size=3, max_size=6),
)
def test_like_means_what_a_regular_expression_says(pattern: str, escape: str, texts: list[str]) -> None:
    """Would catch an overlap of head and tail, and an escape that is read twice."""
    try:
        found = like.parts(pattern, escape)
    except like.LikeError:
        return
    wild = {like.MANY: ".*", like.ONE: "."}
    slow = re.compile(
        "".join(re.escape(part) if isinstance(part, str) else wild[part] for part in found), re.DOTALL
    )
    clause = f" ESCAPE {quoted(escape)}" if escape else ""
    for text in texts:
        expected = slow.fullmatch(text) is not None
        assert like.matcher(pattern, escape)(text) is expected, (pattern, text)
        assert emitted(f"s LIKE {quoted(pattern)}{clause}", text) is expected, (pattern, text)


@pytest.mark.parametrize("condition", [
    "s LIKE '%a%a%a%a%a%a%b'", "s LIKE '%_a_%_a_%_a_%_b'", "regexp_like(s, '(a+)+$')",
    "regexp_like(s, 'a.*a.*a.*a.*a.*b')",
])  # fmt: skip
def test_no_pattern_takes_more_than_linear_time(condition: str) -> None:
    """What would take a backtracking matcher hours takes these well under a second."""
    started = time.process_time()
    assert not emitted(condition, "a" * 20_000 + "c")
    assert time.process_time() - started < 1


def test_lone_surrogates_match_nothing() -> None:
    """They never reach a criterion; if one did, it would be no exception."""
    assert not regexp.matcher("[a-z]")("\ud800")
    assert not like.matcher("a_", "")("a\ud800")
