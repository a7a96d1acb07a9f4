"""Speed limits of a task by time of day. Speeds in Mbit/s, 0 = unlimited; times as ``H:MM``, up to ``24:00``."""

from typing import Annotated

from msgspec import Meta

from wherry.contract.values import MAX_ITEMS, SpeedMbit, Text, Threshold, Wire


class SpeedPeriod(Wire, frozen=True, kw_only=True):
    """One period of the day and its limit. `over_speed_threshold` in per cent."""

    start: Text
    end: Text
    speed: SpeedMbit | None = None
    over_speed_threshold: Threshold | None = None


class SpeedLimits(Wire, frozen=True, kw_only=True):
    """Body of UpdateSpeed and answer of ShowsSpeedLimits; a new list replaces the old one."""

    speed_limit: Annotated[list[SpeedPeriod], Meta(max_length=MAX_ITEMS)]
