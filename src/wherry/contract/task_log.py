"""The log of an agent, on its way from the source to who asked for it by CollectLog.

The protocol has the agent put its log into a bucket of an object store; Wherry has its control plane keep it instead.
Times in epoch milliseconds.
"""

from typing import Annotated, Final

from msgspec import Meta

from wherry.contract.values import Int64, Wire

MAX_LOG_BYTES: Final = 4 << 20
"""A compressed log at most."""

LOG_VALID_S: Final = 64800
"""How long a log can be fetched: the longest that `log_expire` may say."""


class AgentLog(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/tasks/{task_id}/log: gzip, in base64. `taken_at` by the agent's clock."""

    taken_at: Int64
    content: Annotated[bytes, Meta(min_length=1, max_length=MAX_LOG_BYTES)]
