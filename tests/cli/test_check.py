"""`reactor check`: every problem at once, or what the config holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import Run

from reactor.plan import profile_bytes
from reactor.spec import load_config

ROOT = Path(__file__).resolve().parents[2]
RETAIL = ROOT / "docs" / "examples" / "retail"

FIVE_MISTAKES = """\
version: 1
name: shop
identity: {secret: s, keys: {id: {}}}
key_events: {view: web.views, order: {table: web.orders, where: "amount >> 0"}}
attributes:
  views: {type: counter, on: vew, window: 7 days}
  total: {type: totl, on: order}
personalizations:
  home:
    sections:
      Hello: {on: view, when: vews >= 2, payload: {attributes: {views: views}}}
"""


def test_a_good_config_is_summarized(run: Run, config: Path) -> None:
    done = run("check", config)
    sizes = profile_bytes(load_config(config))
    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == f"""\
{config}: shop, no problems
Tables
  web.views  time in time, UTC
Keys
  id
  email
Key events
  view  web.views
Attributes
  views  counter  {sizes["views"]:,} B  count over 7d by 1h
  name   single   {sizes["name"]:,} B  string               1/1 sensitive
Sections of home
  Hello  on view  public
  You    on view  redacted for the public: 1/2 sensitive (name)
One profile holds at most {sum(sizes.values()):,} bytes, identifiers included.
"""
    )


def test_every_problem_is_listed(run: Run, tmp_path: Path) -> None:
    """Five mistakes, five problems: each with its place, and the nearest name where there is one."""
    path = tmp_path / "shop.yaml"
    path.write_text(FIVE_MISTAKES)
    done = run("check", path)
    assert (done.code, done.err) == (1, "")
    head, *lines = done.out.splitlines()
    assert head == f"{path}: 5 problems"
    problems = [line.removeprefix(f"problem {path}:") for line in lines if line.startswith("problem ")]
    assert [problem.partition(": ")[0].partition(":")[0] for problem in problems] == [
        "4",
        "6",
        "6",
        "7",
        "11",
    ]
    for hint in ('did you mean "view"?', 'did you mean "views"?', 'did you mean "total"?'):
        assert any(hint in line for line in lines), hint
    # The expression stands below its problem, with a caret under the place.
    assert lines[lines.index("    vews >= 2") + 1] == "    ^"


def test_strict_makes_warnings_count(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("{secret: s, keys", "{keys"))
    done = run("check", config)
    assert (done.code, done.err) == (0, "")
    assert (
        f"{config}: shop, no problems, 1 warning\nwarning {config}:3:11: identity: the secret is empty"
        in done.out
    )
    assert run("check", config, "--strict").code == 1


def test_several_configs(run: Run, config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FIVE_MISTAKES)
    done = run("check", config, wrong)
    assert done.code == 1
    assert f"{config}: shop, no problems\n" in done.out
    assert f"\n\n{wrong}: 5 problems\n" in done.out
    assert run("check", config, tmp_path / "no.yaml").code == 2


def test_json(run: Run, config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FIVE_MISTAKES)
    done = run("check", config, wrong, "--format", "json")
    assert done.code == 1
    good, bad = json.loads(done.out)
    assert (good["file"], good["problems"], good["warnings"]) == (str(config), [], [])
    assert good["summary"]["sections"] == [
        {
            "personalization": "home", "name": "Hello", "on": ["view"], "state": "public", "reads": 1,
            "sensitive": [],
        },
        {
            "personalization": "home", "name": "You", "on": ["view"], "state": "redacted", "reads": 2,
            "sensitive": ["name"],
        },
    ]  # fmt: skip
    assert good["summary"]["max_bytes"] == sum(profile_bytes(load_config(config)).values())
    assert good["summary"]["keys"] == {"id": "", "email": ""}
    assert bad["summary"] is None
    assert len(bad["problems"]) == 5
    assert set(bad["problems"][0]) == {"path", "line", "column", "message", "hint", "file"}


def test_github(run: Run, tmp_path: Path) -> None:
    """One annotation a problem, each on one line."""
    path = tmp_path / "shop, 1.yaml"
    path.write_text(FIVE_MISTAKES)
    done = run("check", path, "--format", "github")
    lines = done.out.splitlines()
    assert (done.code, len(lines)) == (1, 5)
    place = str(path).replace(",", "%2C")
    assert all(line.startswith(f"::error file={place},line=") for line in lines)
    assert any("vews >= 2%0A^" in line for line in lines)


# With events


def events_file(folder: Path, lines: list[dict[str, object]]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def warnings(run: Run, config: Path, *events: str | Path) -> list[str]:
    """Return the warnings of a check, without the file and the position."""
    done = run("check", config, "--events", *events, "--format", "json")
    assert (done.code, done.err) == (0, ""), done.err
    found = json.loads(done.out)[0]["warnings"]
    assert all(each["file"] == str(config) for each in found)
    return [
        f"{each['path']}: {each['message']}" + (f" ({each['hint']})" if each["hint"] else "")
        for each in found
    ]


def test_the_example_fits_its_events(run: Run) -> None:
    done = run("check", RETAIL / "reactor.yaml", "--events", RETAIL / "orders.csv.gz", "--strict")
    assert (done.code, done.err) == (0, "")


def test_names_no_event_has(run: Run, config: Path, tmp_path: Path) -> None:
    """Each name once, at the first place that reads it, with the nearest name that is there."""
    events = events_file(tmp_path, [{"id": "a", "time": 1, "e_mail": "x", "nam": "Ada"}])
    assert warnings(run, config, events) == [
        'attributes.name.value: no event of web.views has a column "name" (did you mean "nam"?)',
        'identity.keys.email: no event has a column "email" (did you mean "e_mail"?)',
    ]


def test_places_are_those_of_the_file(run: Run, config: Path, tmp_path: Path) -> None:
    events = events_file(tmp_path, [{"id": "a", "email": "b", "time": 1}])
    assert (
        f"warning {config}:7:41: attributes.name.value: no event"
        in run("check", config, "--events", events).out
    )


RULES = """\
version: 1
name: shop
tables: {web.views: {columns: {page: lower(path)}}}
identity: {secret: s, keys: {id: {valid: '^x'}}}
key_events:
  view: web.views
  product: {table: web.views, where: "starts_with(page, '/p/')"}
  dead: {table: web.views, where: "path LIKE '/zzz%'"}
attributes:
  views: {type: counter, on: {product: "price > 10", dead: "price > 10"}, window: 7d}
personalizations:
  home:
    sections:
      A:
        on: [product, view]
        where: "regexp_like(path, 'sale$') OR path LIKE '%/none/%'"
        when: views > 1
        payload: {strings: {a: b}}
"""


def test_filters_and_patterns_that_match_nothing(run: Run, tmp_path: Path) -> None:
    """A filter that one of its key events passes is no dead one; made columns are made."""
    config = tmp_path / "rules.yaml"
    config.write_text(RULES)
    events = events_file(
        tmp_path,
        [
            {"id": "x1", "time": 1, "path": "/P/1", "price": 9},
            {"id": "x1", "time": 2, "path": "/home", "price": 11},
            {"id": "x2", "time": 3, "path": "/home/sale"},
        ],
    )
    assert warnings(run, config, events) == [
        "key_events.dead.where: no event of web.views passes this filter",
        "attributes.views.on.product: no event of web.views passes this filter",
        "personalizations.home.sections.A.where: the pattern '%/none/%' matches no event of web.views",
    ]


def test_a_key_whose_values_are_all_refused(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text(RULES)
    events = events_file(tmp_path, [{"id": "y", "time": 1, "path": "/p/sale/none/", "price": 11}])
    assert "identity.keys.id: no value in these events is valid for this key" in warnings(run, config, events)


def test_one_profile_that_holds_most_identifiers(run: Run, config: Path, tmp_path: Path) -> None:
    """A shared e-mail joins everybody; forty visitors without it are forty profiles."""
    shared = [{"id": f"v{n}", "email": "unknown", "name": "n", "time": n} for n in range(30)]
    alone = [{"id": f"w{n}", "email": f"{n}@x", "name": "n", "time": n} for n in range(10)]
    found = warnings(run, config, events_file(tmp_path, shared + alone))
    assert found == [
        "identity.keys: one profile holds 31 of 51 identifiers (is a shared value missing in `invalid`?)"
    ]
    assert warnings(run, config, events_file(tmp_path, alone * 4)) == []


def test_times_that_cannot_be_read(run: Run, config: Path, tmp_path: Path) -> None:
    """One event whose time can be read is enough; milliseconds are no seconds."""
    row = {"id": "a", "email": "b", "name": "c"}
    wrong = [{**row, "time": "01/02/2011"}, {**row, "time": 1_300_000_000_000}, row]
    assert warnings(run, config, events_file(tmp_path, wrong)) == [
        'tables["web.views"].time: no event of web.views has a time in "time": '
        "expected epoch seconds or ISO 8601 text"
    ]
    assert warnings(run, config, events_file(tmp_path, [*wrong, {**row, "time": "2011-02-01"}])) == []


def test_rows_that_are_no_events(run: Run, config: Path, tmp_path: Path) -> None:
    events = events_file(tmp_path, [{"id": "a", "email": "b", "name": "c", "time": 1}])
    events.write_text(events.read_text() + "[]\n" * 7)
    assert warnings(run, config, events) == [f"tables: {events}: not an event in 7 rows: 1, 2, 3, 4, 5, …"]


def test_tables_of_event_files(run: Run, config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("{view: web.views}", "{view: web.views, order: web.orders}"))
    row = {"id": "a", "email": "b", "name": "c", "time": 1}
    events = events_file(tmp_path, [row])
    done = run("check", config, "--events", events)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {events}: which table are its events of? "
        f"write TABLE={events}; tables: web.views, web.orders\n"
    )
    unread = "key_events.order: no attribute and no section uses this key event"
    assert [
        text for text in warnings(run, config, f"web.views={events}") if not text.startswith(unread)
    ] == []
    assert 'tables: the config has no table "web.view" (did you mean "web.views"?)' in warnings(
        run, config, f"web.view={events}"
    )


@pytest.mark.parametrize("name", ["no.csv", "events.txt", "events.csv.gz"])
def test_event_files_that_cannot_be_read(run: Run, config: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != "no.csv":
        path.write_text("id,time\n")
    done = run("check", config, "--events", path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}: ")
    assert len(done.err.splitlines()) == 1


def test_no_value_of_an_event_is_shown(run: Run, config: Path, tmp_path: Path) -> None:
    events = events_file(
        tmp_path, [{"id": f"s3cr3t{n}", "email": "s3cr3t", "time": "s3cr3t"} for n in range(30)]
    )
    done = run("check", config, "--events", events)
    assert done.code == 0
    assert "s3cr3t" not in done.out + done.err
