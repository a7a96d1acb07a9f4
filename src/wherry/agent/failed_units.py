"""Which units of systemd have failed on this server: its copy is compared with that.

Source: systemctl(1), list-units.
"""

import structlog

from wherry.errors import WherryError
from wherry.process import run

log = structlog.get_logger(__name__)

MOST_UNITS = 500
"""How many are told at most."""
_COMMAND = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager")
_LIMIT_S = 20.0


def read_failed_units() -> list[str] | None:
    """Return the names of the units that have failed; None where systemd isn't there, or doesn't answer."""
    try:
        return failed_units_in(run(_COMMAND, timeout_s=_LIMIT_S).decode(errors="replace"))
    except WherryError as error:
        # A server with another init isn't compared; that's no reason not to land it.
        log.info("failed_units_unknown", **error.facts)
        return None


def failed_units_in(table: str) -> list[str]:
    """Return the first column of what systemctl writes; it may mark a unit by a dot in front of its name."""
    rows = (line.lstrip("●* ").split() for line in table.splitlines())
    return [row[0][:255] for row in rows if row][:MOST_UNITS]
