"""Try random lists over random sequences against the live functions, as many as wanted.

python tests/replay/list_columns.py --count 50000 --seed 1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]


def main() -> None:
    """Run the search and print what was tried."""
    import pytest
    from test_list_columns import check

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for number in range(arguments.count):
        with pytest.MonkeyPatch.context() as monkeypatch:
            check(arguments.seed * 10**9 + number, monkeypatch)
    print(f"{arguments.count} lists over sequences: all agree")


if __name__ == "__main__":
    main()
