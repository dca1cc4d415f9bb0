"""`reactor test`: what a test file may say, how values are compared, and how a difference is shown."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from commandline import Run, Write
from hypothesis import given
from hypothesis import strategies as st

from reactor.spec import load_config
from reactor.testing.files import TestFileError, first_difference, json_text, read_tests, run_test

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "examples"

FIRST = "    - {event: {id: a, time: 1}, offers: {}}\n"


@pytest.fixture
def write(config: Path) -> Write:
    """Write a test file beside the config; `body` is what stands below `tests:`."""

    def write_tests(body: str, head: str = "config: shop.yaml\ntests:\n") -> Path:
        path = config.with_name("shop.test.yaml")
        path.write_text(head + body, encoding="utf-8")
        return path

    return write_tests


# The project's own files


@pytest.mark.parametrize("folder", ["tests/examples", "docs/examples", "reactor/cli/example"])
def test_the_projects_own_tests_pass(run: Run, folder: str) -> None:
    """The requests and responses of the vendor's guides, and the retail configs."""
    done = run("test", ROOT / folder)
    assert (done.code, done.err) == (0, ""), done.out
    assert done.out.endswith(": all passed\n")


@pytest.mark.skipif(not SHARED.exists(), reason="the originals of the examples are not beside the project")
def test_the_copies_are_the_originals() -> None:
    originals = {path.name: path.read_bytes() for path in SHARED.iterdir()}
    assert {path.name: path.read_bytes() for path in (ROOT / "tests" / "examples").iterdir()} == originals


# What is shown


def test_a_passing_file(run: Run, write: Write) -> None:
    path = write("  once:\n" + FIRST + "  twice:\n" + FIRST)
    done = run("test", path)
    assert (done.code, done.out, done.err) == (
        0,
        f"passed {path}: 2 tests\n1 file, 2 tests: all passed\n",
        "",
    )


def test_a_difference_names_file_line_test_step_and_section(run: Run, write: Write) -> None:
    path = write(
        "  views are counted:\n" + FIRST + "    - event: {id: a, time: 2}\n"
        "      offers: {Hello: {attributes: {views: 3}}}\n"
        "  fine:\n" + FIRST
    )
    done = run("test", path)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        f"failed {path}: 1 of 2 tests\n"
        f'  {path}:5: test "views are counted", step 2, section "Hello", at attributes.views\n'
        '    expected: {"attributes":{"views":3},"batch_segments":null}\n'
        '    got:      {"attributes":{"views":2},"batch_segments":null}\n'
        "    changes:\n"
        "      views  1 -> 2\n"
        "1 file, 2 tests: 1 passed, 1 failed\n"
    )


def test_missing_and_surplus_sections(run: Run, write: Write) -> None:
    """Each with the reason why it is offered or not."""
    path = write("  t:\n    - {event: {id: a, time: 1, name: Ada}, offers: {Hello: {}}}\n")
    done = run("test", path)
    assert done.code == 1
    assert done.out.splitlines()[1:-1] == [
        f'  {path}:4: test "t", step 1, section "Hello"',
        "    expected: {}",
        "    got:      no offer",
        "    [ ] Hello: `when` is false",
        "        when",
        "          [ ] views >= 2      views 1",
        "        to match: views is 1, needs at least 2 (1 more)",
        "        by itself: never",
        f'  {path}:4: test "t", step 1, section "You"',
        "    expected: no offer",
        "    got:      {}",
        "    [x] You: offered for good",
        "        when",
        "          [x] name IS NOT NULL  name 'Ada'",
    ]


def test_a_refused_step_ends_its_test(run: Run, write: Write) -> None:
    """Its later steps are not run, the next test is."""
    path = write(
        "  t:\n    - {event: {id: a, time: soon}}\n    - {event: {id: a, time: 1}, offers: {Hello: {}}}\n"
        "  u:\n" + FIRST
    )
    done = run("test", path)
    assert done.code == 1
    assert done.out.splitlines()[1:-1] == [
        f'  {path}:4: test "t", step 1',
        "    expected: an answer",
        "    got:      refused: time: expected epoch seconds or ISO 8601 text, got text of another form",
    ]
    assert done.out.endswith("1 file, 2 tests: 1 passed, 1 failed\n")


def test_junit(run: Run, write: Write, tmp_path: Path) -> None:
    path = write('  "a <b>\\e": \n' + FIRST + "  c:\n    - {event: {id: a, time: 1}, offers: {Hello: {}}}\n")
    report = tmp_path / "report.xml"
    assert run("test", path, "--junit", report).code == 1
    root = ElementTree.fromstring(report.read_bytes())
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == (
        "testsuites",
        "2",
        "1",
        "0",
    )
    (suite,) = root
    assert (suite.get("name"), suite.get("tests")) == (str(path), "2")
    passed, failed = suite
    assert (passed.get("name"), passed.get("line"), len(passed)) == ("a <b>\ufffd", "4", 0)
    assert failed.get("classname") == str(path)
    (failure,) = failed
    assert failure.get("message") == "1 difference"
    assert failure.text is not None
    assert 'section "Hello"' in failure.text
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []


# What is found


def test_folders_are_searched(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("  t:\n" + FIRST)
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    (inner / "x.test.yaml").write_text("config: ../../shop.yaml\ntests: {t: [{event: {id: a, time: 1}}]}")
    (inner / "other.yaml").write_text("config: nothing")
    done = run("test", tmp_path, path)
    assert (done.code, done.out.splitlines()[-1]) == (0, "2 files, 2 tests: all passed")


def test_hidden_folders_and_virtual_environments_are_left_out(run: Run, write: Write, tmp_path: Path) -> None:
    """The package itself ships a test file, which would turn up in every project's environment."""
    write("  t:\n" + FIRST)
    for folder in (".hidden", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.test.yaml").write_text("not a test file")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    assert run("test", tmp_path).out.endswith("1 file, 1 test: all passed\n")
    assert run("test", tmp_path / "env").code == 2  # named, it is searched


def test_the_current_folder_is_the_default(
    run: Run,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    write("  t:\n" + FIRST)
    monkeypatch.chdir(tmp_path)
    assert run("test").out == "passed shop.test.yaml: 1 test\n1 file, 1 test: all passed\n"


def test_nothing_to_run_is_exit_2(run: Run, tmp_path: Path) -> None:
    done = run("test", tmp_path)
    assert (done.code, done.out, done.err) == (2, "", f"error: no *.test.yaml file in {tmp_path}\n")
    done = run("test", tmp_path / "no")
    assert (done.code, done.err) == (2, f"error: {tmp_path / 'no'}: there is no such file or folder\n")


# What a file may not say


FILES = [
    ("config: shop.yaml\ntests: {}\nmore: 1", "3:1: more: expected no such key here"),
    ("tests: {}", "1:1: config: expected this key, got none"),
    ("config: shop.yaml", "1:1: tests: expected this key, got none"),
    ("config: shop.yaml\ntests: []", "2:8: tests: expected a mapping, got a list"),
    ("config: 7\ntests: {}", "1:9: config: expected text, got the number 7"),
    ("config: shop.yaml\ntests: {t: 1}", "2:12: tests.t: expected a list of steps, got the number 1"),
    ("config: shop.yaml\ntests: {t: [], t: []}", 'the key "t" is given twice'),
    ("config: shop.yaml\ntests: {t: [", "not readable as YAML"),
    ("config: no.yaml\ntests: {}", "no.yaml: can't be read: No such file or directory"),
]
STEPS = [
    ("x", ': expected a mapping, got the text "x"'),
    ("{}", ": expected exactly one of `event` and `json`, got neither"),
    ("{event: {}, json: '{}'}", ": expected exactly one of `event` and `json`, got both"),
    ("{event: {}, ofers: {}}", '.ofers: expected no such key here (did you mean "offers"?)'),
    ("{batch: [], table: x}", ".table: expected no such key here"),
    ("{batch: {}}", ".batch: expected a list of rows, got a mapping"),
    ("{batch: [1]}", ".batch[0]: expected a mapping, got the number 1"),
    ("{event: {}, event: {}}", '.event: the key "event" is given twice'),
    ("{event: {a: 1, a: 2}}", '.event.a: the key "a" is given twice'),
    ("{event: 1}", ".event: expected a mapping, got the number 1"),
    ("{json: {}}", ".json: expected text, got a mapping"),
    ("{event: {}, audience: all}", '.audience: expected public or private, got the text "all"'),
    ("{event: {}, now: true}", ".now: expected a time, got true"),
    ("{event: {}, offers: null}", ".offers: expected a mapping, got nothing"),
    ("{event: {}, offers: {A: {payload: 1}}}", ".offers.A.payload: expected no such key here"),
]


@pytest.mark.parametrize(("text", "error"), FILES)
def test_what_is_wrong_with_a_file_is_exit_2(run: Run, write: Write, text: str, error: str) -> None:
    path = write("", text)
    done = run("test", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}:")
    assert error in done.err


@pytest.mark.parametrize(("step", "error"), STEPS)
def test_what_is_wrong_with_a_step_is_exit_2(run: Run, write: Write, step: str, error: str) -> None:
    path = write(f"  t: [{step}]\n")
    done = run("test", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}:3:")
    assert f": tests.t[0]{error}" in done.err


def test_everything_wrong_is_said_at_once_and_nothing_is_run(run: Run, write: Write, tmp_path: Path) -> None:
    write("  t:\n    - {event: {}, x: 1}\n    - {event: {}, y: 1}\n")
    (tmp_path / "good.test.yaml").write_text("config: shop.yaml\ntests: {t: [{event: {id: a, time: 1}}]}")
    (tmp_path / "z.test.yaml").write_text("config: gone.yaml\ntests: {}")
    done = run("test", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 3


def test_a_config_with_problems_is_exit_2(run: Run, write: Write, config: Path) -> None:
    path = write("  t:\n" + FIRST)
    config.write_text(config.read_text().replace("window: 7d", "window: 7 d"))
    done = run("test", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {config}:6:")


def test_read_tests_raises_everything(write: Write) -> None:
    path = write("  t: 1\n  u: 2\n")
    with pytest.raises(TestFileError) as caught:
        read_tests(path)
    assert [problem.path for problem in caught.value.problems] == ["tests.t", "tests.u"]


# How a file is read and run


def test_values_are_read_as_in_a_config(write: Write) -> None:
    """A date is text, `no` is text, only true and false are booleans."""
    path = write(
        "  t:\n    - event: {a: 2025-06-01T10:00:00Z, b: no, c: true, d: [1, 1.5, null], e: {f: 0x10}}\n"
    )
    (test,) = read_tests(path).tests
    (step,) = test.steps
    assert step.event == {  # type: ignore[union-attr]
        "a": "2025-06-01T10:00:00Z", "b": "no", "c": True, "d": [1, 1.5, None], "e": {"f": 16}
    }  # fmt: skip


def test_each_test_has_a_new_engine_without_a_clock(run: Run, write: Write) -> None:
    assert run("test", write("  t:\n" + FIRST + "  u:\n" + FIRST)).code == 0
    done = run("test", write("  t:\n    - {event: {id: a}, offers: {}}\n"))
    assert done.code == 1
    assert "expected a time, got none, and no `now` was given" in done.out
    assert run("test", write("  t:\n    - {event: {id: a}, now: 2025-06-01, offers: {}}\n")).code == 0


def test_json_keeps_the_last_of_a_repeated_key(run: Run, write: Write) -> None:
    body = """  t:
    - audience: private
      json: '{"id": "a", "time": 1, "name": "x", "name": "y"}'
      offers: {You: {attributes: {name: y, views: 1}}}
"""
    assert run("test", write(body)).code == 0


@pytest.mark.parametrize(
    ("offers", "code"),
    [
        ("", 0),
        ("offers: {Hello: {attributes: {views: 2}}, You: {}}", 0),
        ("offers: {You: {}, Hello: {attributes: {views: 2.0}, batch_segments: null}}", 0),
        ("offers: {Hello: {attributes: {views: '2'}}, You: {}}", 1),
        ("offers: {Hello: {attributes: {views: 2}, batch_segments: []}, You: {}}", 1),
        ("offers: {Hello: {}, You: {}}", 1),
        ("offers: {Hello: {attributes: {}}, You: {}}", 1),
        ("offers: {Hello: {attributes: {views: 2}}, You: {attributes: {}}}", 1),
        ("offers: {You: {}}", 1),
        ("offers: {}", 1),
    ],
)
def test_offers_are_compared_whole(run: Run, write: Write, offers: str, code: int) -> None:
    """`{}` is a redacted offer and nothing else; the order of keys does not count."""
    path = write(
        "  t:\n    - {event: {id: a, time: 1}}\n    - event: {id: a, time: 2, name: Ada}\n"
        + (f"      {offers}\n" if offers else "")
    )
    assert run("test", path).code == code


@pytest.mark.parametrize(
    ("expected", "got", "where"),
    [
        (15, 15.0, None),
        (1, True, ""),
        (1, "1", ""),
        (True, "true", ""),
        (None, False, ""),
        (None, None, None),
        ([1, 2], [2, 1], ""),
        ([1, [True]], [1, [1]], ""),
        ([1], [1, 2], ""),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 1, "b": None}, "b"),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, "a.b"),
        ({}, [], ""),
        (2**60, 2**60 + 1, ""),
    ],
)
def test_values_are_compared_as_json(expected: object, got: object, where: str | None) -> None:
    assert first_difference(expected, got) == where
    assert (first_difference(got, expected) is None) == (where is None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_comparison_is_an_equivalence_over_json_texts(left: object, right: object) -> None:
    """Equal texts are equal values; it would catch True passing as 1, and an order of keys that counts."""
    assert first_difference(left, left) is None
    assert (first_difference(left, right) is None) == (first_difference(right, left) is None)
    if json_text(left) == json_text(right):
        assert first_difference(left, right) is None


def test_run_test_returns_differences(write: Write, config: Path) -> None:
    path = write("  t:\n    - {event: {id: a, time: 1}, offers: {Hello: {}}}\n")
    (test,) = read_tests(path).tests
    (difference,) = run_test(test, load_config(config))
    assert (difference.line, difference.step, difference.section) == (4, 1, "Hello")
    assert (difference.expected, difference.got) == ("{}", "no offer")
    assert difference.why[0] == "[ ] Hello: `when` is false"
