"""How many sources stand in which state."""

from wherry.contract.values import Wire


class Overview(Wire, frozen=True, kw_only=True):
    """Answer of ShowOverview. `unconfigured` counts the sources without a task."""

    waiting: int
    replicate: int
    syncing: int
    stopped: int
    deleting: int
    cutovering: int
    unavailable: int
    stopping: int
    skipping: int
    finished: int
    initialize: int
    error: int
    cloning: int
    unconfigured: int
