"""What one profile can hold, in bytes: the promise of a bound, computed from the config."""

from __future__ import annotations

from reactor.plan.layout import Layout
from reactor.spec.model import Config

HEADER_BYTES = 18 + 2 * 9 + 16  # rid, times, and the framing of the whole
KEY_BYTES = 5  # framing of the identifiers of a key, and of the merged-away rids
ASSOCIATION_BYTES = 5 + 9  # framing and time of one identifier, besides its text


def profile_bytes(config: Config) -> dict[str, int]:
    """Return the most bytes a profile can hold, packed: `identity`, then each attribute with state.

    The bound of a whole profile is their sum. Imported rows are one a lookup value, not one a
    profile, and computed attributes hold nothing.
    """
    limits = config.limits
    one = ASSOCIATION_BYTES + max(limits.identifier_bytes, 16)
    framing = HEADER_BYTES + (len(config.keys) + 1) * KEY_BYTES
    sizes = {"identity": framing + limits.associations * one}
    for name, slots in Layout(config).slots.items():
        sizes[name] = slots.most_bytes(limits) + len(name) + 5
    return sizes
