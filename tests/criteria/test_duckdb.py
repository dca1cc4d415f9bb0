"""Law L9: on rows of one type a column, the slow walk, the columns and DuckDB agree on the same SQL.

Would catch: a NULL rule, an operator's meaning or its precedence that is not SQL's. Other tests
show that what is emitted agrees with the walk.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from expressions import Expressions, Pair, typed, typed_row

from reactor.criteria import Expression, Name, Ref, Scope, compile_expression, walk
from reactor.replay.columns.column import column_of
from reactor.replay.columns.expressions import evaluate

SCOPE = Scope(
    names={
        **{name: Name("number") for name in ("n1", "n2", "n3")},
        **{name: Name("string") for name in ("s1", "s2", "s3")},
        **{name: Name("boolean") for name in ("b1", "b2")},
        **{name: Name("timestamp") for name in ("t1", "t2")},
        "ls": Name("strings"),
        "ln": Name("numbers"),
    }
)
COLUMNS = (
    "id INTEGER, n1 DOUBLE, n2 DOUBLE, n3 DOUBLE, s1 VARCHAR, s2 VARCHAR, s3 VARCHAR, b1 BOOLEAN, b2 BOOLEAN,"
    " t1 TIMESTAMP, t2 TIMESTAMP, ls VARCHAR[], ln DOUBLE[]"
)
ROWS = 48
BATCH = 60
KINDS = ("number", "text", "boolean", "time")


@pytest.fixture(scope="module")
def table() -> Iterator[tuple[duckdb.DuckDBPyConnection, list[dict[str, object]]]]:
    """Give a table of random rows, and the rows."""
    rng = random.Random(20170301)
    rows = [typed_row(rng) for _ in range(ROWS)]
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # The three rewrites that the proof is made with, beside x / nullif(y, 0).
        connection.execute("CREATE MACRO finite(x) AS CASE WHEN isfinite(x) THEN x END")
        connection.execute(
            "CREATE MACRO as_boolean(x) AS CASE lower(x) WHEN 'true' THEN true WHEN 'false' THEN false END"
        )
        connection.execute(f"CREATE TABLE rows ({COLUMNS})")
        for number, row in enumerate(rows):
            values = [
                f"make_timestamp({row[t]} * 1000)" if row[t] is not None else "NULL" for t in ("t1", "t2")
            ]
            plain = [row[name] for name in ("n1", "n2", "n3", "s1", "s2", "s3", "b1", "b2")]
            marks = ", ".join("?" * len(plain))
            connection.execute(
                f"INSERT INTO rows VALUES (?, {marks}, {', '.join(values)}, ?, ?)",
                [number, *plain, row["ls"], row["ln"]],
            )
        yield connection, rows


def answers(connection: duckdb.DuckDBPyConnection, pairs: list[tuple[str, Pair]]) -> list[tuple[object, ...]]:
    """Return DuckDB's answers, a tuple by expression."""
    columns = [f"epoch_ms({pair.duck})" if kind == "time" else f"({pair.duck})" for kind, pair in pairs]
    found = connection.execute(f"SELECT {', '.join(columns)} FROM rows ORDER BY id").fetchall()
    return list(zip(*found, strict=True))


def same(ours: Any, theirs: Any) -> bool:
    """Compare two answers: numbers by value, the rest exactly."""
    if isinstance(ours, bool) or isinstance(theirs, bool) or ours is None or theirs is None:
        return ours is theirs
    return bool(ours == theirs)


def differences(
    connection: duckdb.DuckDBPyConnection, rows: list[dict[str, object]], seed: int, count: int
) -> list[str]:
    """Return what DuckDB answers otherwise, among `count` random expressions."""
    rng = random.Random(seed)
    maker = Expressions(rng, typed())
    found: list[str] = []
    for _ in range(count // BATCH):
        pairs: list[tuple[str, Pair]] = []
        for _ in range(BATCH):
            kind = rng.choice(("condition", "condition", *KINDS))
            depth = rng.randint(0, 3)
            pairs.append((kind, maker.condition(depth) if kind == "condition" else maker.value(kind, depth)))  # type: ignore[arg-type]
        for (kind, pair), theirs in zip(pairs, answers(connection, pairs), strict=True):
            expression = compile_expression(pair.ours, SCOPE, "condition" if kind == "condition" else "value")
            for row, their in zip(rows, theirs, strict=True):
                our = walk(expression, lambda ref, row=row: row[ref.name])  # type: ignore[misc]
                if not same(our, their):
                    used = {ref.name: row[ref.name] for ref in expression.refs}
                    found.append(f"{pair.ours}\n  ours {our!r}, DuckDB {their!r}, with {used}\n  {pair.duck}")
                    break
            if not all(map(same, by_columns(expression, rows), theirs)):
                found.append(f"{pair.ours}\n  over columns, with DuckDB {theirs}")
    return found


def by_columns(expression: Expression, rows: list[dict[str, object]]) -> list[object]:
    """Return what an expression comes to over columns."""

    def read(ref: Ref) -> Any:
        return column_of([row[ref.name] for row in rows], SCOPE.names[ref.name].type)

    return evaluate(expression, read, len(rows)).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_duckdb_agrees(table: tuple[duckdb.DuckDBPyConnection, list[dict[str, object]]], seed: int) -> None:
    """The same SQL means the same to DuckDB; would catch any point where NULL, %, / or round is not SQL's."""
    connection, rows = table
    assert differences(connection, rows, seed, 1_200) == []
