"""An identity with batch rows and nothing else: what an engine has but for the functions of its config."""

from __future__ import annotations

from typing import Final

from reactor.attributes.imported import BatchTable
from reactor.identity import Identity, KeyRule
from reactor.plan import Layout
from reactor.spec.model import Config
from reactor.state.batch import BatchReader, BatchReport, Waiting

UNBOUNDED: Final = 2**62


class Stitching:
    """An identity from which nothing is ever taken, and the batch rows it stitches with.

    lookup: index of the key that joins batch rows, or None.
    """

    def __init__(self, config: Config) -> None:
        names = [key.name for key in config.keys]
        self._layout = Layout(config)
        self.lookup = None if config.lookup_key is None else names.index(config.lookup_key)
        self.identity = Identity(
            [KeyRule(key.name, key.valid, key.invalid, key.internal) for key in config.keys],
            lookup=self.lookup,
            secret=config.secret,
            associations=UNBOUNDED,
            identifier_bytes=config.limits.identifier_bytes,
            instance=config.name,
            new=self._layout.new,
            merge=self._layout.merge,
        )
        self.batch = BatchTable(len(self._layout.imported))

    def import_batch(self, rows: object, *, replace: bool = True) -> BatchReport:
        """Load batch rows, as `Reactor.import_batch` does, before there is any profile."""
        assert replace
        reader = BatchReader(self._layout, self.identity.valid)
        read = reader.read(rows)
        self.batch.put(((row.lookup, row.time_ms, row.values) for row in read), replace=True)
        waiting = Waiting()
        waiting.put(read, replace=True)
        self.identity.expand = waiting.expand if waiting else None
        return reader.report(read, 0)

    def is_lookup(self, value: object) -> bool:
        """Tell whether a value can be one of the lookup key."""
        return self.lookup is not None and self.identity.valid(self.lookup, value) is None
