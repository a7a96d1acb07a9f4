"""The errors of Wherry's programs: of disks, replication, receiver, agent, the control plane's own start, and terminal.

They travel in a task's trace, in logs and on terminals. The file beside this module is written from their classes by
`tools/error_codes.py`, because the control plane may not import them.
"""

from importlib.resources import files
from typing import Final

from msgspec import json

from wherry.contract.error_entry import ProgramEntry

ENTRIES: Final = json.decode(
    files("wherry.contract").joinpath("program_errors.json").read_bytes(), type=tuple[ProgramEntry, ...]
)
"""One for each class of error that has a code, by their codes."""
