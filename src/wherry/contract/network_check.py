"""The network quality check between a source and its target.

Delay and jitter in milliseconds, speed in Mbit/s, the rest in per cent.
"""

from typing import Annotated

from msgspec import Meta

from wherry.contract.values import Percent, Rate, Wire


class NetworkCheck(Wire, frozen=True, kw_only=True):
    """Body of UpdateNetworkCheckInfo, and `network_check_info` of a task."""

    network_delay: Rate
    network_jitter: Rate
    migration_speed: Rate
    loss_percentage: Percent
    cpu_usage: Percent
    mem_usage: Percent
    evaluation_result: Annotated[str, Meta(min_length=5, max_length=9)]
    domain_connectivity: bool | None = None
    destination_connectivity: bool | None = None


class NetworkCheckAnswer(Wire, frozen=True, kw_only=True):
    """Answer of UpdateNetworkCheckInfo."""

    task_id: str
