"""Make `orders.csv.gz` and `loyalty.csv` from the whole Online Retail file.

    python sample.py path/to/online_retail.csv.gz

Standard library only. The same source gives the same rows, byte for byte.

Rule of the sample: a customer (a `CustomerID`, or for a line without one its `InvoiceNo`)
is kept when the first 64 bits of BLAKE2b("retail-1:" + customer), read as a fraction of
2^64, are below 0.038. So a customer is kept with every line of the whole year or not at
all, guests are kept in proportion, and the lines stay in the order of the file.

Rule of the loyalty rows: one row for each kept customer with a purchase before 1 March
2011, made from the lines before that day only, and valid from that day on (`time`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
from decimal import Decimal
from pathlib import Path

SOURCE_SHA256 = "f9340a036fdc06072fb432f13701e18adc57e92a65a692ad7518432fcb6ac689"
SEED = "retail-1"
KEPT = 0.038
FIRST_DAY = "2011-03-01"

Line = dict[str, str]


def main(source: str) -> None:
    folder = Path(__file__).parent
    packed = Path(source).read_bytes()
    if hashlib.sha256(packed).hexdigest() != SOURCE_SHA256:
        sys.exit(f"{source}: not the file that the sample is made from (sha256 differs)")
    text = gzip.decompress(packed).decode()
    header = text[: text.index("\n")].split(",")
    lines = [line for line in csv.DictReader(io.StringIO(text, newline="")) if kept(line)]
    # mtime=0: the archive depends on its content only.
    (folder / "orders.csv.gz").write_bytes(gzip.compress(written(header, lines), 9, mtime=0))
    loyalty = loyalty_rows(lines)
    (folder / "loyalty.csv").write_bytes(written(list(loyalty[0]), loyalty))
    print(f"{len(lines):,} lines, {len(loyalty)} loyalty rows")


def kept(line: Line) -> bool:
    customer = line["CustomerID"] or line["InvoiceNo"]
    digest = hashlib.blake2b(f"{SEED}:{customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < KEPT


def written(header: list[str], rows: list[Line]) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


def loyalty_rows(lines: list[Line]) -> list[Line]:
    """Return a row for each customer who bought before `FIRST_DAY`, by CustomerID."""
    by_customer: dict[str, list[Line]] = {}
    for line in lines:
        # London is on UTC in winter, so a local day is a day of UTC.
        if line["CustomerID"] and line["InvoiceDate"] < FIRST_DAY and Decimal(line["UnitPrice"]) > 0:
            by_customer.setdefault(line["CustomerID"], []).append(line)
    rows = [loyalty_row(customer, by_customer[customer]) for customer in sorted(by_customer)]
    return [row for row in rows if row["last_invoice"]]


def loyalty_row(customer: str, lines: list[Line]) -> Line:
    bought = [line for line in lines if not line["InvoiceNo"].startswith("C") and int(line["Quantity"]) > 0]
    spend = sum((Decimal(line["Quantity"]) * Decimal(line["UnitPrice"]) for line in lines), Decimal(0))
    months = {line["InvoiceDate"][:7] for line in bought}
    units = sum(int(line["Quantity"]) for line in bought)
    segments = [
        *(["3001"] if len(months) >= 2 else []),  # bought in two of the three months
        *(["3002"] if bought and units / len(bought) >= 24 else []),  # buys by the case
    ]
    return {
        "CustomerID": customer,
        "time": FIRST_DAY,
        "tier": "gold" if spend >= 1000 else "silver" if spend >= 300 else "bronze",
        "spend_before": str(spend),
        "spend_before_at": FIRST_DAY,
        "last_invoice": bought[-1]["InvoiceNo"] if bought else "",
        "last_invoice_at": bought[-1]["InvoiceDate"].replace(" ", "T") + "Z" if bought else "",
        "segments": ",".join(segments),
    }


if __name__ == "__main__":
    main(sys.argv[1])
