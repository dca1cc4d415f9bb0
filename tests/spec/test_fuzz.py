"""Whatever a config holds, it loads or is refused with problems: nothing else comes out."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.errors import ConfigError
from reactor.spec import Node, Reading, load_config, read

HERE = Path(__file__).parent
FILES = [HERE / "configs" / "retail.yaml", *sorted((HERE.parent / "examples").glob("seed-s?.yaml"))]
ENVIRON = {"REACTOR_SECRET": "s"}
SIGNS = "{}[]:,'\"#&*!|>%@`-? \n\t\x00\x85\ufeffé0~<\\="


def plain(node: Node) -> Any:
    """Return a node's value without its places."""
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


CONFIGS = [plain(read(path, Reading(None))) for path in FILES]
JUNK: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        5,
        2.5,
        float("inf"),
        float("nan"),
        10**30,
        "",
        "a",
        "visits",
        "tier + 1",
        "(",
    ),
    *("x = NULL", "60d", "never", "\x00", "é", "a b", "'", '"', "\ud800", [], {}, ["a"], {"a": 1}, [None]),
    *({"": ""}, {"type": "list"}, {"type": []}, [[["x"]]], {"view": None}, "before.visits", "segment('1')"),
    *(
        "${X}",
        "now",
        "event.a",
        "item",
        "x" * 300,
        b"x",
        object(),
        {1: 2},
        "a" * 5000,
        "TRUE",
        "regexp_like(a, '(')",
    ),
]


def survives(source: Any) -> bool:
    """Load `source`; tell whether it is a config."""
    try:
        config = load_config(source, environ=ENVIRON)
    except ConfigError as error:
        assert error.problems
        assert str(error)
        assert error.__context__ is None
        assert error.__cause__ is None
        return False
    assert str(config.warnings)
    return True


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything below the top."""
    found = [path] if path else []
    steps: Any = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
    )
    for step, child in steps:
        found += paths(child, (*path, step))
    return found


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return what stands at `path`."""
    for step in path:
        value = value[step]
    return value


def mutate(config: Any, choose: random.Random) -> Any:
    """Return the config with a few of its entries deleted, replaced, renamed, swapped or cut."""
    config = copy.deepcopy(config)
    for _ in range(choose.choice([1, 1, 2, 5, 20])):
        found = paths(config)
        if not found:
            break
        path = choose.choice(found)
        holder, step = at(config, path[:-1]), path[-1]
        change = choose.randrange(5)
        if change == 0:
            del holder[step]
        elif change == 1:
            holder[step] = copy.deepcopy(choose.choice(JUNK))
        elif change == 2 and isinstance(holder, dict):
            holder[choose.choice(["a", "x", "type", "on", "where", "value", " ", ""])] = holder.pop(step)
        elif change == 3:
            other = choose.choice(CONFIGS)
            holder[step] = copy.deepcopy(at(other, choose.choice(paths(other))))
        elif isinstance(holder[step], str) and holder[step]:
            text, place = holder[step], choose.randrange(len(holder[step]))
            sign = choose.choice(["", "(", ")", "'", " ", "=", ".", "x"])
            holder[step] = text[:place] + sign + text[place + choose.randrange(2) :]
    return config


@given(st.randoms(use_true_random=False), st.sampled_from(CONFIGS))
@settings(max_examples=10 * settings.default.max_examples)
def test_mutated_configs(choose: random.Random, config: Any) -> None:
    """A config with a few things changed."""
    survives(mutate(config, choose))


@given(st.randoms(use_true_random=False), st.sampled_from(FILES))
@settings(max_examples=3 * settings.default.max_examples)
def test_mutated_files(tmp_path_factory: pytest.TempPathFactory, choose: random.Random, file: Path) -> None:
    """A YAML file with a few characters changed."""
    text = list(file.read_text(encoding="utf-8"))
    for _ in range(choose.choice([1, 2, 5, 30])):
        place = choose.randrange(len(text))
        text[place : place + choose.randrange(2)] = choose.choice(SIGNS)
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_text("".join(text), encoding="utf-8")
    survives(path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["view", "a > 1", "1d"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
TOP = [
    "limits",
    "tables",
    "identity",
    "key_events",
    "attributes",
    "segments",
    "personalizations",
    "x-a",
    "name",
]


@given(st.dictionaries(st.sampled_from(TOP), VALUES))
def test_random_mappings(source: dict[str, object]) -> None:
    """Anything at all below the top-level keys."""
    survives({"version": 1, **source})


@given(st.text(), st.sampled_from([".yaml", ".toml", ".json"]))
def test_random_texts(tmp_path_factory: pytest.TempPathFactory, text: str, ending: str) -> None:
    """Any text, in any of the languages."""
    path = tmp_path_factory.getbasetemp() / f"random{ending}"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    survives(path)


def test_the_unchanged_configs_are_good() -> None:
    """The mutations begin with what loads."""
    assert all(survives(config) for config in CONFIGS)
