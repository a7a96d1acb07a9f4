"""Numbers as people read them."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: float) -> str:
    """Return *count* bytes in the largest unit that leaves at least one: "612.4 MiB"."""
    unit = 0
    while count >= 1024 and unit < len(UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} {UNITS[unit]}" if unit == 0 else f"{count:.1f} {UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return *seconds* as "8.3 s" or "2 min 05 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


def rate(mbit: float) -> str:
    """Return a rate in Mbit/s."""
    return f"{mbit:,.0f} Mbit/s"
