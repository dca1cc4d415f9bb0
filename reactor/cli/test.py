"""`reactor test`: run a config's tests and show how its answers differ."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from reactor.cli.console import DONE, FOUND, CommandError, count_of, paint, printable, progress, say
from reactor.cli.loading import load
from reactor.errors import ConfigError
from reactor.frames import replacing
from reactor.spec import Config
from reactor.testing.files import Difference, FileTest, TestFile, TestFileError, read_tests, run_test

SUMMARY = "run *.test.yaml files and show the differences"
EXAMPLE = "reactor test tests --junit report.xml"
PATTERN = "*.test.yaml"


class Result(msgspec.Struct, frozen=True):
    """How one test of a file ended."""

    file: TestFile
    test: FileTest
    differences: tuple[Difference, ...]
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        default=["."],
        help=f"test files, or folders, searched for {PATTERN} at any depth (default: the current one)",
    )
    parser.add_argument(
        "--junit", metavar="FILE", help="also write the results as JUnit XML, for a CI server"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the tests of all files; none runs if one of the files can't."""
    ready = _read_all(_found(arguments.paths))
    results = list(_run_all(ready))
    for file, _ in ready:
        _show(file, [result for result in results if result.file is file])
    failed = sum(bool(result.differences) for result in results)
    say(_verdict(len(ready), len(results), failed))
    if arguments.junit:
        with replacing(arguments.junit) as target:
            target.write(junit(results))
    return FOUND if failed else DONE


def _found(paths: Sequence[str]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise CommandError(f"{path}: there is no such file or folder")
        files.update(dict.fromkeys(_inside(path) if path.is_dir() else [path]))
    if not files:
        raise CommandError(f"no {PATTERN} file in {', '.join(paths)}")
    return list(files)


def _inside(folder: Path) -> list[Path]:
    """Return the test files of a folder, but for those of hidden folders and virtual environments."""
    files: list[Path] = []
    for parent, folders, _ in os.walk(folder):
        folders[:] = [
            name for name in folders if name[0] != "." and not Path(parent, name, "pyvenv.cfg").exists()
        ]
        files.extend(Path(parent).glob(PATTERN))
    return sorted(files)


def _read_all(paths: Sequence[Path]) -> list[tuple[TestFile, Config]]:
    """Read every file and its config. Raises CommandError with all that is wrong with them."""
    ready = []
    reasons: list[str] = []
    for path in paths:
        try:
            file = read_tests(path)
            ready.append((file, load(file.config)))
        except (ConfigError, TestFileError) as error:
            reasons.extend(map(str, error.problems))
        except CommandError as error:
            reasons.extend(f"{path}: config: {reason}" for reason in error.reasons)
    if reasons:
        raise CommandError(*reasons)
    return ready


def _run_all(ready: Sequence[tuple[TestFile, Config]]) -> Iterator[Result]:
    total = sum(len(file.tests) for file, _ in ready)
    done = 0
    with progress("Testing") as report:
        for file, config in ready:
            for test in file.tests:
                started = time.perf_counter()
                differences = run_test(test, config)
                yield Result(file, test, differences, time.perf_counter() - started)
                done += 1
                report(done, total)


def _show(file: TestFile, results: Sequence[Result]) -> None:
    failed = [result for result in results if result.differences]
    state = paint("failed", "red") if failed else paint("passed", "green")
    count = f"{len(failed)} of {count_of(len(results), 'test')}" if failed else count_of(len(results), "test")
    say(f"{state} {file.path}: {count}")
    for result in failed:
        for difference in result.differences:
            say(*(f"  {line}" for line in difference_lines(result, difference)))


def difference_lines(result: Result, difference: Difference) -> list[str]:
    """Write a difference: file, line, test, step and section, then what was expected and what came."""
    section = "" if difference.section is None else f', section "{printable(difference.section)}"'
    where = f", at {difference.where}" if difference.where else ""
    return [
        f'{result.file.path}:{difference.line}: test "{printable(result.test.name)}", '
        f"step {difference.step}{section}{where}",
        f"  expected: {difference.expected}",
        f"  got:      {difference.got}",
        *(f"  {line}" for line in difference.why),
    ]


def _verdict(files: int, tests: int, failed: int) -> str:
    counts = f"{count_of(files, 'file')}, {count_of(tests, 'test')}"
    if failed:
        return f"{counts}: {tests - failed} passed, {paint(f'{failed} failed', 'red')}"
    return f"{counts}: {paint('all passed', 'green')}"


def junit(results: Sequence[Result]) -> bytes:
    """Write results as JUnit XML: a suite a file, a case a test."""
    root = ElementTree.Element("testsuites", _counts(results))
    for path in dict.fromkeys(result.file.path for result in results):
        inside = [result for result in results if result.file.path == path]
        suite = ElementTree.SubElement(root, "testsuite", {"name": _xml(path), **_counts(inside)})
        for result in inside:
            _add_case(suite, result)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(bool(result.differences) for result in results)),
        "errors": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _add_case(suite: ElementTree.Element, result: Result) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": _xml(result.file.path),
            "name": _xml(result.test.name),
            "file": _xml(result.file.path),
            "line": str(result.test.line),
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.differences:
        text = "\n".join("\n".join(difference_lines(result, each)) for each in result.differences)
        failure = ElementTree.SubElement(
            case, "failure", {"message": count_of(len(result.differences), "difference")}
        )
        failure.text = _xml(text)


def _xml(text: str) -> str:
    """Replace the characters that XML can't hold."""
    return "".join(c if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff") else "\ufffd" for c in text)
