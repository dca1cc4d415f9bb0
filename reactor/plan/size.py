"""What one profile can hold, in bytes: the promise of a bound, computed from the config."""

from __future__ import annotations

from reactor.identity import Profile
from reactor.plan.layout import Layout
from reactor.spec.model import Config

HEADER_BYTES = 17 + 3 * 9 + 16  # rid, times, and the framing of the whole
ASSOCIATION_BYTES = 5 + 9 + 2  # framing, time and key of one identifier, besides its text


def profile_bytes(config: Config) -> dict[str, int]:
    """Return the most bytes a profile can hold, packed: `identity`, then each attribute with state.

    The bound of a whole profile is their sum. Imported rows are one a lookup value, not one a
    profile, and computed attributes hold nothing.
    """
    limits = config.limits
    one = ASSOCIATION_BYTES + max(limits.identifier_bytes, 16)
    sizes = {"identity": HEADER_BYTES + limits.associations * one}
    for name, slots in Layout(config).slots.items():
        sizes[name] = slots.most_bytes(limits) + len(name) + 5
    return sizes


def packed(layout: Layout, profile: Profile) -> list[object]:
    """Return a profile as plain canonical data, as of its newest event: what a packed one holds."""
    rid, created, newest, absorbed = profile[:4]
    keys = [sorted((profile[slot] or {}).items()) for slot in layout.key_slot.values()]
    merged = [[other.to_bytes(16, "big"), time] for other, time in sorted((absorbed or {}).items())]
    return [rid.to_bytes(16, "big"), created, newest, merged, keys, layout.state(profile)]
