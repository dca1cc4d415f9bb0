"""A session of Spark for the tests, if it is installed; else they are skipped, loudly."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SPARK = 'pip install "reactor-engine[spark]", and a Java 17 runtime: apt-get install openjdk-17-jre-headless'
RAY = 'pip install "reactor-engine[ray]"'
SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
}


def whole() -> bool:
    """Tell whether the slow part was asked for: `RUNNERS=whole`."""
    return os.environ.get("RUNNERS") == "whole"


def has_spark() -> bool:
    """Tell whether Spark can be started."""
    return importlib.util.find_spec("pyspark") is not None and shutil.which("java") is not None


def missing() -> list[str]:
    """Return what is not there, and what to do about it."""
    found = []
    if not has_spark():
        found.append(f"tests/runners, Spark NOT RUN: {SPARK}")
    if importlib.util.find_spec("ray") is None:
        found.append(f"tests/runners/test_ray.py NOT RUN: {RAY}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of a run which runners were not tested."""
    for text in missing():
        terminalreporter.write_line(text, yellow=True, bold=True)


@pytest.fixture
def slow() -> None:
    """Skip a test unless the slow part was asked for."""
    if not whole():
        pytest.skip("slow: RUNNERS=whole pytest -n0 tests/runners")


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Two workers in this process; a task may fail three times."""
    if not has_spark():
        pytest.skip(f"NOT RUN: {SPARK}")
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), path])
    builder = SparkSession.builder.master(os.environ.get("SPARK_MASTER", "local[2,4]"))
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()
