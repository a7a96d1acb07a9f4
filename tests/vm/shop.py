"""A database that is written on a server all the while it moves, and what must have become of it on the other side."""

from dataclasses import dataclass
from typing import Final

from tests.vm.shell import Shell

BEFORE_FREEZE: Final = "/usr/local/bin/note-acknowledged"
"""Notes the last transaction that was acknowledged: the agent's hook before each freeze."""

_WRITER: Final = "/usr/local/bin/sell"
_ACKNOWLEDGED: Final = "/run/acknowledged"
_NOTED: Final = "/run/acknowledged-before-freeze"
_DATABASE: Final = "/root/shop.db"

# One program that goes on, since starting one costs a slow guest more than a transaction. What it writes to the file
# of acknowledgements comes after the commit, which is durable.
_FILES: Final = {
    _WRITER: f"""#!/bin/bash
sales() {{
    echo "PRAGMA synchronous=FULL;"
    echo "CREATE TABLE sale (number INTEGER PRIMARY KEY, content TEXT);"
    for ((number = 1; ; number++)); do
        echo "INSERT INTO sale VALUES ($number, hex(randomblob(200)));"
        echo ".once {_ACKNOWLEDGED}"
        echo "SELECT $number;"
        read -rt 0.2 <>/run/pause
    done
}}
mkfifo /run/pause
sales | sqlite3 {_DATABASE}
""",
    BEFORE_FREEZE: f"""#!/bin/bash
until number=$(<{_ACKNOWLEDGED}) && [[ $number ]]; do :; done
echo $number >{_NOTED}
""",
}


@dataclass(frozen=True, slots=True)
class Shop:
    """The database as it's found. *numbers*: how many sales, and the last one's number."""

    integrity: str
    sales: int
    last: int


def open_shop(shell: Shell) -> None:
    """Begin to sell: a transaction every fifth of a second, until the server goes off."""
    for path, text in _FILES.items():
        shell(f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}")
    shell(f"systemd-run --quiet {_WRITER}")


def acknowledged_before_freeze(shell: Shell) -> int:
    """Return the number of the last transaction that had been acknowledged when the last freeze began."""
    return int(shell(f"cat {_NOTED}"))


def look_into_shop(shell: Shell) -> Shop:
    """Return what the database holds."""
    question = "PRAGMA integrity_check; SELECT count(*), max(number) FROM sale"
    integrity, counted = shell(f"sqlite3 {_DATABASE} '{question}'").split("\n")[:2]
    sales, last = counted.split("|")
    return Shop(integrity, int(sales), int(last))
