"""The config reference is complete, and its example of problems is what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reactor.errors import ConfigError
from reactor.spec import config_schema, load_config
from reactor.spec.naming import RESERVED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
TABLES = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))


@pytest.mark.parametrize("struct", sorted(config_schema()["$defs"]))
def test_every_key_is_listed(struct: str) -> None:
    """No key of the language is missing from the tables of the page."""
    listed = set(re.findall(r"`([a-z_]+)`", TABLES)) | {"type", "was"}
    if struct == "Aggregation":
        listed |= set(re.findall(r"`(first [a-z ]+)`", TABLES)[0].split())
    if struct == "Backfill":
        listed |= set(re.findall(r"`\{([a-z, ]+)\}`", TABLES)[0].split(", "))
    assert set(config_schema()["$defs"][struct]["properties"]) - listed == set()
    assert "`was`" in PAGE


def test_reserved_words_are_listed() -> None:
    """All of them, and no others."""
    line = next(line for line in PAGE.splitlines() if line.startswith("Reserved for"))
    assert set(re.findall(r"`(\w+)`", line)) == RESERVED


def test_the_shown_problems_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong config of the page gets the problems the page shows."""
    wrong = re.search(r"```yaml wrong\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert wrong is not None
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(wrong[1], encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("shop.yaml")
    assert f"{caught.value}\n" == wrong[2]
