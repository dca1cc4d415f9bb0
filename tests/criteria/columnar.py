"""Try random expressions over columns against the slow walk, as many as wanted.

python tests/criteria/columnar.py --count 100000 --seed 1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]


def main() -> None:
    """Run the search and print what was tried."""
    from test_columnar import check

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tried = {False: 0, True: 0}
    for number in range(arguments.count):
        untyped = number % 2 == 1
        tried[untyped] += check(arguments.seed * 10**9 + number, untyped=untyped)
    print(f"{tried[False]} expressions over typed columns, {tried[True]} over mixed ones: all agree")


if __name__ == "__main__":
    main()
