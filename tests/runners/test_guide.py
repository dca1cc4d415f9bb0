"""The notebook of the guide runs, and its tables are those of one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_docs import DOCS, blocks

from reactor import simulate

pytestmark = pytest.mark.filterwarnings("ignore")  # pyspark's own, at every call


def test_the_notebook(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block, on the Spark of these tests."""
    page = DOCS / "guides" / "scale.md"
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "notebook"}
    run = [block for block in blocks(page) if (block.language, block.title) == ("python", "spark")]
    assert len(run) > 5
    for block in run:
        exec(compile("\n" * (block.line - 1) + block.text, page.name, "exec"), namespace)
    expected = simulate(
        namespace["config"](4), namespace["views"], batch=pl.read_parquet("lake/customers.parquet")
    )
    for name, folder in (("offers", "offers"), ("attributes", "features")):
        one = getattr(expected, name)
        found = pl.read_parquet(f"lake/{folder}/*.parquet").sort("event", maintain_order=True)
        assert found.cast(one.schema).equals(one), name
