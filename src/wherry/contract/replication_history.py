"""How a task's replication went: counters at moments, as many as are worth keeping."""

from wherry.contract.values import Wire


class ReplicationSample(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The counters of a task's replication at a moment. All but `remaining_bytes` only grow while the agent counts on.

    `at` in epoch milliseconds, when the control plane heard of it. The mean rate between two samples is what
    `wire_bytes` grew by in that time; how fast the source changed is what `changed_bytes` grew by after the first pass.
    """

    at: int
    pass_number: int
    wire_bytes: int
    changed_bytes: int
    remaining_bytes: int | None = None


class ReplicationSamples(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Answer of GET /wherry/v1/tasks/{id}/replication/samples, the oldest first.

    `spacing_ms`: the least time between two that are kept. It doubles, and every other sample is dropped, whenever
    there are too many: so they reach back to the beginning, however long a task runs.
    """

    task_id: str
    spacing_ms: int
    samples: list[ReplicationSample]
