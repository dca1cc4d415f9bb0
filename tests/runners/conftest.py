"""A session of Spark for the tests, if it is installed; else they are skipped, loudly."""

from __future__ import annotations

import importlib.util
import shutil

import pytest

SPARK = 'pip install "reactor-engine[spark]", and a Java 17 runtime: apt-get install openjdk-17-jre-headless'
RAY = 'pip install "reactor-engine[ray]"'


def missing() -> list[str]:
    """Return what is not there, and what to do about it."""
    found = []
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        found.append(f"tests/runners/test_spark.py NOT RUN: {SPARK}")
    if importlib.util.find_spec("ray") is None:
        found.append(f"tests/runners/test_ray.py NOT RUN: {RAY}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of a run which runners were not tested."""
    for text in missing():
        terminalreporter.write_line(text, yellow=True, bold=True)
