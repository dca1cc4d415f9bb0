"""Warnings: each has its case, and a careful config has none."""

from __future__ import annotations

from typing import Any

import pytest

from reactor.spec import load_config

BASE: dict[str, Any] = {
    "version": 1,
    "identity": {"keys": ["id"], "secret": "s"},
    "key_events": {"view": "pages"},
    "attributes": {
        "visits": {"type": "counter", "on": "view", "window": "7d"},
        "last": {"type": "single", "on": "view", "value": "sku", "dtype": "string", "sensitive": False},
        "names": {
            "type": "list",
            "on": "view",
            "item": "sku",
            "aggregations": {"all": {"distinct": "item", "sensitive": False}},
        },
    },
    "personalizations": {
        "p": {
            "sections": {
                "s": {
                    "on": "view",
                    "when": "visits > 1",
                    "payload": {"attributes": {"last": "last", "all": "names.all"}},
                }
            }
        }
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the careful config with another value at `path`, whose steps are parted by `/`."""
    first, _, rest = path.partition("/")

    def within(source: dict[str, Any], step: str, further: str) -> dict[str, Any]:
        if not further:
            return {**source, step: value}
        following, _, later = further.partition("/")
        return {**source, step: within(source.get(step, {}), following, later)}

    return within(BASE, first, rest)


SECTION = "personalizations/p/sections/s"
PATH = SECTION.replace("/", ".")
EMPTY = (
    "the secret is empty: a rid can be used to test whether a guessed identifier is known "
    "(write secret: ${REACTOR_SECRET})"
)
UNCHOSEN = (
    "a payload reads this, and nothing says whether it is sensitive: it counts as not sensitive "
    "(write sensitive: true or false)"
)


def test_a_careful_config_has_none() -> None:
    """Nothing to warn of."""
    assert load_config(BASE).warnings == ()


@pytest.mark.parametrize(
    ("path", "value", "warnings"),
    [
        (
            "identity",
            {"keys": ["id"]},
            [f"identity: {EMPTY}"],
        ),
        (
            "identity/secret",
            "",
            [f"identity.secret: {EMPTY}"],
        ),
        (
            "identity",
            {"keys": []},
            ["identity: there are no stitching keys: every event meets an empty profile"],
        ),
        (
            "key_events/buy",
            "orders",
            ["key_events.buy: no attribute and no section uses this key event"],
        ),
        (
            "attributes/tier",
            {"type": "imported", "dtype": "string"},
            ["attributes.tier: nothing reads this attribute: no section, and no computed attribute"],
        ),
        (
            f"{SECTION}/when",
            "TRUE OR visits > 1",
            [],
        ),
        (
            f"{SECTION}/where",
            "1 = 1",
            [f"{PATH}.where: the condition reads nothing and is always true: leave it out"],
        ),
        (
            f"{SECTION}/where",
            {"view": "1 = 2"},
            [
                f"{PATH}.where.view: the condition reads nothing and is never true: "
                "the section is never offered"
            ],
        ),
        (
            "attributes/last",
            {"type": "single", "on": "view", "value": "sku", "dtype": "string"},
            [f"attributes.last: {UNCHOSEN}"],
        ),
        (
            "attributes/names/aggregations/all",
            {"distinct": "item"},
            [f"attributes.names.aggregations.all: {UNCHOSEN}"],
        ),
        ("attributes/names/sensitive", False, []),
        (
            "attributes/visits/decimals",
            2,
            ["attributes.visits.decimals: decimals has no effect: without an increment, 1 is added"],
        ),
        (
            "tables/pages/columns",
            {"a": "x + 1", "b": "a + 1", "x": "lower(x)"},
            [
                'tables.pages.columns.a: "x" is a made column too, and this reads the event\'s own',
                'tables.pages.columns.b: "a" is a made column too, and this reads the event\'s own',
            ],
        ),
        (
            f"{SECTION}/payload/strings",
            {f"text {n}": "x" for n in range(20)},
            [f"{PATH}.payload: the payload has 22 attributes and strings: over 20 make answers slow"],
        ),
        (
            f"{SECTION}/payload/strings",
            {"long": "x" * 9_000},
            [f"{PATH}.payload: the payload is likely to have about 13 KB: over 10 KB make answers slow"],
        ),
        (
            f"{SECTION}/when",
            "visits > 1 AND names.all <> 'a'",
            [
                f"{PATH}.when: names.all <> … asks for an element that differs; to ask that "
                "none is equal, write NOT contains(names.all, 'a')"
            ],
        ),
    ],
)
def test_warnings(path: str, value: object, warnings: list[str]) -> None:
    """The careful config, with one thing that is hardly meant."""
    assert [str(warning) for warning in load_config(changed(path, value)).warnings] == warnings


def test_what_a_computed_attribute_reads_counts() -> None:
    """It hides neither that an attribute is read nor that its sensitivity was not chosen."""
    source = changed("attributes/tier", {"type": "imported", "dtype": "string"})
    source["attributes"]["level"] = {"type": "computed", "value": "coalesce(tier, 'none')"}
    source["personalizations"]["p"]["sections"]["t"] = {"payload": {"attributes": {"level": "level"}}}
    try:
        assert [str(warning) for warning in load_config(source).warnings] == [f"attributes.tier: {UNCHOSEN}"]
    finally:
        del source["personalizations"]["p"]["sections"]["t"]


def test_warnings_have_places(tmp_path: Any) -> None:
    """In a file they stand where the name does, in its order."""
    path = tmp_path / "c.yaml"
    path.write_text(
        "version: 1\nidentity:\n  keys: [id]\n  secret: s\nkey_events:\n  view: pages\n  buy: orders\n"
        "attributes:\n  visits: {type: counter, on: buy, window: 7d}\n"
    )
    assert [(warning.line, warning.column, warning.path) for warning in load_config(path).warnings] == [
        (6, 3, "key_events.view"),
        (9, 3, "attributes.visits"),
    ]
