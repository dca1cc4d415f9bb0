"""The shipped retail example: where its rows come from, and that its config shows everything."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import runpy
from pathlib import Path

import pytest

from reactor.spec import Counter, ListAttribute, Single, Total, load_config

ROOT = Path(__file__).resolve().parents[2]
RETAIL = ROOT / "docs" / "examples" / "retail"
WHOLE = ROOT.parent / "shared" / "data" / "online-retail" / "online_retail.csv.gz"


def test_the_config_uses_every_kind_of_attribute_and_section() -> None:
    config = load_config(RETAIL / "reactor.yaml")
    assert config.warnings == ()
    attributes = list(config.attributes.values())
    kinds = {each.__struct_config__.tag for each in attributes}
    assert kinds == {"single", "list", "counter", "total", "imported", "computed"}
    singles = [each for each in attributes if isinstance(each, Single)]
    assert any(each.ttl_ms and each.backfill for each in singles)
    assert any(len(each.windows) > 1 for each in attributes if isinstance(each, Counter))
    assert any(each.discard_ms and each.backfill for each in attributes if isinstance(each, Total))
    lists = [each for each in attributes if isinstance(each, ListAttribute)]
    aggregations = {part.kind for each in lists for part in each.aggregations.values()}
    assert aggregations == {"first", "last", "sum", "min", "max", "distinct", "count"}
    assert any(each.unique and each.delete_on for each in lists)
    assert any(each.clear_on for each in lists)
    sections = config.sections
    assert len(sections) >= 6
    assert any(section.on is None for section in sections)
    assert any(section.sensitive for section in sections)
    assert any(section.segments for section in sections)
    assert any(ref.before for section in sections if section.when for ref in section.when.refs)


def test_the_readme_counts_what_is_there() -> None:
    text = (RETAIL / "README.md").read_text()
    with gzip.open(RETAIL / "orders.csv.gz", "rt", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    customers = {line["CustomerID"] for line in lines} - {""}
    guests = {line["InvoiceNo"] for line in lines if not line["CustomerID"]}
    assert f"{len(lines):,} order lines of {len(customers)} customers and {len(guests)} guest orders" in text
    share = sum(not line["CustomerID"] for line in lines) / len(lines)
    assert f"{share:.1%}".replace("%", " %") + " of the lines here" in text
    with (RETAIL / "loyalty.csv").open(newline="") as rows:
        assert f"batch rows of {len(list(csv.DictReader(rows)))} customers" in text
    sections = len(load_config(RETAIL / "reactor.yaml").sections)
    assert (f"{sections} sections" in text) or (sections == 11 and "eleven sections" in text)


def test_the_sample_is_what_its_rule_makes(tmp_path: Path) -> None:
    """Run from the whole file, the script makes the shipped rows again."""
    if not WHOLE.exists():
        pytest.skip("the whole Online Retail file is not beside the project")
    sample = runpy.run_path(str(RETAIL / "sample.py"))
    packed = WHOLE.read_bytes()
    assert hashlib.sha256(packed).hexdigest() == sample["SOURCE_SHA256"]
    text = gzip.decompress(packed).decode()
    header = text[: text.index("\n")].split(",")
    lines = [line for line in csv.DictReader(io.StringIO(text, newline="")) if sample["kept"](line)]
    assert sample["written"](header, lines) == gzip.decompress((RETAIL / "orders.csv.gz").read_bytes())
    loyalty = sample["loyalty_rows"](lines)
    assert sample["written"](list(loyalty[0]), loyalty) == (RETAIL / "loyalty.csv").read_bytes()
    whole = set(text.split("\n"))
    assert set(gzip.decompress((RETAIL / "orders.csv.gz").read_bytes()).decode().split("\n")) <= whole
