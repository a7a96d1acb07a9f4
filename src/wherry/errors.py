"""The root of Wherry's errors: each has a code, a message, a cause and a fix.

Ranges of the codes: 1xxx disks, 2xxx replication, 3xxx receiver, 4xxx agent, 5xxx control plane, 60xx command line,
61xx conversion, 62xx virtual machines and rehearsals, 9xxx the machine itself. Errors that travel over the SMS wire
carry the codes of `wherry.contract.catalogue` instead.
"""

import re
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple

CODE: Final = re.compile(r"[A-Za-z]{2,12}\.[0-9]{4}")
"""What the code of an error looks like, Wherry's own and those of other services."""


class ExitStatus(IntEnum):
    """How a command ends. Scripts rely on these numbers.

    DONE: it was done, or it is so. NOT_SO: what was asked about isn't so or has failed, or a program ended in an error.
    USAGE: the command line, or a file that it names, isn't right. REFUSED: the control plane refused, or knows nothing
    of that name. UNREACHABLE: no answer came that could be read. INTERRUPTED: by Ctrl-C.
    """

    DONE = 0
    NOT_SO = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


_CAUSE: Final = "\n  cause: "
_FIX: Final = "\n  fix:   "


class WherryError(Exception):
    """An error that a person can act on.

    A subclass sets the four texts; `template` is filled with the keyword arguments of the constructor. An instance
    may replace cause or fix where it knows better than its class.
    """

    code: str = "WHERRY.0000"
    template: ClassVar[str] = "{reason}"
    default_cause: ClassVar[str] = "Not known."
    default_fix: ClassVar[str] = "Look at the log of the program; report it if it comes again."
    exit_status: ClassVar[int] = ExitStatus.NOT_SO

    def __init__(self, *, cause: str | None = None, fix: str | None = None, **details: object) -> None:
        self.details = details
        self.cause = self.default_cause if cause is None else cause
        self.fix = self.default_fix if fix is None else fix
        super().__init__(self.template.format(**details))

    @property
    def message(self) -> str:
        """What happened, in one sentence."""
        return str(self)

    @property
    def facts(self) -> dict[str, str]:
        """The four texts as the fields of a log line."""
        return {"code": self.code, "reason": self.message, "cause": self.cause, "fix": self.fix}

    def explain(self) -> str:
        """Return code, message, cause and fix as the lines that terminal and log show."""
        return f"{self.code}: {self.message}{_CAUSE}{self.cause}{_FIX}{self.fix}"


class Explanation(NamedTuple):
    """An error as another program told it. *cause* and *fix* are empty where the text was cut off before them."""

    code: str
    message: str
    cause: str
    fix: str


def read_explanation(text: str) -> Explanation | None:
    """Return what `WherryError.explain` put into *text*; None for a text that doesn't begin with a code."""
    code, colon, rest = text.partition(": ")
    if not colon or not CODE.fullmatch(code):
        return None
    rest, _, fix = rest.partition(_FIX)
    message, _, cause = rest.partition(_CAUSE)
    return Explanation(code, message, cause, fix)
