"""The state of an engine: profiles, batch rows, counts; how they get in, and out as a snapshot.

`state` holds them, `batch` takes rows in; `pack` makes bytes of a profile, `file` a file of blocks,
`snapshot` the blocks of a state, `inspection` looks at them; `meaning` and `reload` move state to
another config; `leaving` knows which profiles leave, `resting` which are packed.
"""

from reactor.state.batch import BatchReport
from reactor.state.inspection import Inspection, ProfileSize, inspect, inspect_state
from reactor.state.reload import Change, ReloadReport
from reactor.state.resting import IN_USE
from reactor.state.snapshot import move, restore, write
from reactor.state.state import Forgotten, State

__all__ = (
    "IN_USE",
    "BatchReport",
    "Change",
    "Forgotten",
    "Inspection",
    "ProfileSize",
    "ReloadReport",
    "State",
    "inspect",
    "inspect_state",
    "move",
    "restore",
    "write",
)
