"""Which values are identifiers, and the exact reasons why others are not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from driver import Driver

from reactor.identity import MISNAMED, NULL, KeyRule
from reactor.identity.log import Log
from reactor.identity.validate import Validator

EMPTY = "Value is empty."
NOT_TEXT = "Value is not a string."
TOO_LONG = "Value is too long."
NO_MATCH = "Value does not meet the valid_regexp for this key."
IGNORED = "Value is included in invalid_texts for this key."

RULE = KeyRule("email", "@", frozenset({"a@b", "null", "", "x" * 20}))


class Text(str):
    """A text of a subclass, as numpy and pandas have them, that writes itself differently."""

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("c@d", None),
        ("@", None),
        ("e\u0301@", None),
        (" a@b", None),  # neither trimmed
        ("A@B", None),  # nor lower-cased
        ("x\0@", None),
        ("@" * 16, None),
        ("\u20ac" * 5 + "@", None),  # 16 bytes in UTF-8
        ("", EMPTY),  # before invalid_texts
        (NULL, EMPTY),
        (7, NOT_TEXT),
        (0, NOT_TEXT),
        (1.5, NOT_TEXT),
        (True, NOT_TEXT),
        ([], NOT_TEXT),
        (["a@b"], NOT_TEXT),
        ({}, NOT_TEXT),
        (b"a@b", NOT_TEXT),
        ("\ud800@", NOT_TEXT),  # a lone surrogate is no text
        ("x" * 17, TOO_LONG),  # before the pattern
        ("x" * 20, TOO_LONG),  # before invalid_texts
        ("\u20ac" * 6, TOO_LONG),  # 6 characters, 18 bytes
        ("null", NO_MATCH),  # before invalid_texts
        ("ab", NO_MATCH),
        ("a@b", IGNORED),
    ],
)
def test_a_value_has_one_reason(value: object, reason: str | None) -> None:
    assert Validator([RULE], identifier_bytes=16).reason(0, value) == reason


def test_texts_can_be_invalid_without_a_pattern() -> None:
    rules = Validator([KeyRule("k"), KeyRule("l", invalid=frozenset({"null"}))], 512)
    assert [rules.reason(k, "null") for k in (0, 1)] == [None, IGNORED]
    assert [rules.reason(k, "Null") for k in (0, 1)] == [None, None]


@pytest.mark.parametrize(
    ("pattern", "value", "valid"),
    [
        ("b+", "abbc", True),  # searched for, not matched as a whole
        ("^b", "ab", False),
        ("^[^@\\s]+@[^@\\s]+$", "a@b c", False),
        ("^a$", "a\n", False),  # $ is the end of the text alone
        ("^.$", "\u20ac", True),  # a character, not a byte
        ("A", "a", False),
    ],
)
def test_patterns_are_searched_for_as_re2_does(pattern: str, value: str, valid: bool) -> None:
    reason = Validator([KeyRule("k", pattern)], 512).reason(0, value)
    assert reason == (None if valid else NO_MATCH)


def test_names_that_differ_by_case_are_found() -> None:
    rules = [KeyRule("email"), KeyRule("userId"), KeyRule("USERID"), KeyRule("secret", internal=True)]
    names = ["Email", "email", "userid", "userId", "USERID", "SECRET", "secret", "page", "EMAIL"]
    assert Validator(rules, 512).misnamed(names) == ["Email", "userid", "EMAIL"]
    assert Driver(rules).identity.misnamed(names) == ["Email", "userid", "EMAIL"]


def test_a_bad_value_is_left_out_and_reported_in_config_order() -> None:
    driver = Driver()
    stitched = driver.event(7, "a@b", "", time=5)
    assert stitched.failures == (("client", 7, NOT_TEXT), ("customer", "", EMPTY))
    assert stitched.new == ((1, "a@b"),)
    assert driver.partition() == {frozenset({(1, "a@b")})}


def test_a_bad_value_is_reported_beside_known_ones_too() -> None:
    driver = Driver()
    driver.event("c1", "a@b", time=5)
    stitched = driver.event("c1", "a@b", NULL, time=6)
    assert stitched.failures == (("customer", None, EMPTY),)
    assert (stitched.new, stitched.merged, stitched.founded) == ((), (), False)


def test_absent_values_and_nan_are_no_failures() -> None:
    driver = Driver()
    stitched = driver.event(None, float("nan"), None, time=5)
    assert stitched.profile is None
    assert stitched.failures == ()
    assert driver.state() == ([], [])


def test_an_event_of_bad_values_alone_founds_nothing() -> None:
    driver = Driver()
    stitched = driver.event([1], {"a": 1}, time=5)
    assert stitched.profile is None
    assert [reason for _, _, reason in stitched.failures] == [NOT_TEXT, NOT_TEXT]
    assert driver.state() == ([], [])


def test_text_of_a_subclass_is_kept_as_plain_text() -> None:
    driver = Driver()
    first = driver.event(Text("c1"), time=5)
    again = driver.event(Text("c1"), "a@b", time=6)
    assert first.profile is again.profile
    ((_, value), _) = driver.seen(again.profile)
    assert value == "c1"
    assert type(value) is str


def test_a_known_identifier_is_not_asked_again() -> None:
    driver = Driver([KeyRule("client", "^c"), KeyRule("email")])
    driver.event("c1", time=5)
    asked: list[object] = []
    driver.identity._reason = lambda k, value: asked.append(value)  # type: ignore[method-assign]
    driver.event("c1", "a@b", time=6)
    assert asked == ["a@b"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (7, "7"),
        (None, "null"),
        (float("inf"), "null"),
        (True, "true"),
        ("", '""'),
        ('caf\u00e9 \u2028"', '"caf\u00e9 \u2028\\""'),
        ("\ud800", '"\\\\ud800"'),
        ([1, {"a": None}], '[1,{"a":null}]'),
        ({(1, 2): 3}, '{"tuple":3}'),
        (object(), '"object"'),
        ([object()], '["object"]'),
        (2**70, "1180591620717411303424"),
        (datetime(2020, 1, 1, tzinfo=UTC), '"2020-01-01T00:00:00Z"'),
        (Decimal("1.50"), '"1.50"'),
    ],
)
def test_the_row_of_failures_holds_any_value(value: object, shown: str) -> None:
    (row,) = Log(["k"], "shop").validation_failures([("k", value, EMPTY)], 5_999)
    assert row["invalid_keys"] == ['{"key":"k","value":' + shown + ',"reason":"Value is empty."}']


def test_a_value_without_end_is_shown_as_its_type() -> None:
    endless: list[object] = []
    endless.append(endless)
    (row,) = Log(["k"], "shop").validation_failures([("k", endless, NOT_TEXT)], 0)
    assert row["invalid_keys"] == ['{"key":"k","value":"list","reason":"Value is not a string."}']


def test_the_row_of_failures_is_the_vendors() -> None:
    driver = Driver()
    failures = (*driver.event(7, time=1).failures, ("Email", "a@b", MISNAMED))
    (row,) = driver.identity.validation_failures(failures, 1_700_000_000_999, "t-1")
    assert list(row.items()) == [
        ("time", 1_700_000_000),
        ("event_type", "validation"),
        ("reactor_instance_id", "shop"),
        (
            "invalid_keys",
            [
                '{"key":"client","value":7,"reason":"Value is not a string."}',
                '{"key":"Email","value":"a@b","reason":"Key name case does not match a configured key."}',
            ],
        ),
        ("td_rt_tracking_id", "t-1"),
    ]
    assert msgspec.json.decode(row["invalid_keys"][0])["value"] == 7
    assert driver.identity.validation_failures((), 5) == []
