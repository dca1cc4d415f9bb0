"""`reactor serve --demo`: from a command to an offer, by curl and in a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_browser import BROWSERS
from test_operate import free


@pytest.fixture(scope="module")
def said() -> Iterator[str]:
    """Run a demo, and give what it prints."""
    command = [sys.executable, "-m", "reactor.cli", "serve", "--demo", "--listen", f"127.0.0.1:{free()}"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert demo.stderr is not None
    text = ""
    while "Nothing is kept" not in text:
        line = demo.stdout.readline()
        assert line, demo.stderr.read()
        text += line
    while '"batch rows"' not in demo.stderr.readline():
        assert demo.poll() is None
    yield text
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode == 0


def line_with(said: str, text: str) -> str:
    """Return the line of the output that holds a text."""
    return next(line.strip() for line in said.splitlines() if text in line)


def test_the_curl_line(said: str) -> None:
    """It gets an offer, as it is printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    line = line_with(said, "curl ").replace("curl ", "curl --silent ", 1)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert list(json.loads(done.stdout)["offers"]) == ["Welcome Banner"]


def test_the_page(said: str, tmp_path: Path) -> None:
    """A browser that opens it shows an offer."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("THE DEMO'S PAGE WAS NOT OPENED: none of " + ", ".join(BROWSERS) + " is installed")
    page = line_with(said, "/_demo")
    options = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run"
    options += " --ignore-certificate-errors --virtual-time-budget=20000 --dump-dom"
    command = [browser, *options.split(), f"--user-data-dir={tmp_path}"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, page], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert "Welcome to our website! Enjoy your shopping!" in done.stdout
    assert "<h2>Welcome Banner</h2>" in done.stdout


def test_no_secret_is_shipped() -> None:
    """The demo's tokens are made for each run."""
    demo = Path(__file__).parents[2] / "reactor" / "gateway" / "demo"
    assert "value" not in (demo / "reactor.yaml").read_text().replace("value: product_category", "")
