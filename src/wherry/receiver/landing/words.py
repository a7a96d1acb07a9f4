"""What landings are made of, and the parts that do the work, as this package sees them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from wherry.contract.enumerations import OrderStage
from wherry.contract.landing import LandingError, LandingOrder, Recording, RehearsalResult, TargetMachine
from wherry.receiver.drivers.qemu.servers import ServerNote

Tell = Callable[[OrderStage, int, str], None]
"""Takes over how far an order is: its stage, per cent, and words for people."""
Stopped = Callable[[], bool]
"""Tells whether the order is no longer wanted, or the receiver is ending."""


_MOST_TEXT: Final = 2048


class Explained(Protocol):
    """What went wrong, as an error says it, or a rehearsal that failed."""

    @property
    def code(self) -> str:
        """Its code."""

    @property
    def message(self) -> str:
        """What happened."""

    @property
    def cause(self) -> str:
        """Why."""

    @property
    def fix(self) -> str:
        """What to do."""


def told(what: Explained) -> LandingError:
    """Return it in the words of a report."""
    return LandingError(
        code=what.code, message=what.message[:_MOST_TEXT], cause=what.cause[:_MOST_TEXT], fix=what.fix[:_MOST_TEXT]
    )


class OrderStopped(Exception):
    """The order is no longer wanted, or the receiver is ending. What was done stays, for the next time."""


@dataclass(frozen=True, slots=True)
class StandingDisks:
    """Disks of a checkpoint that nobody changes, in order.

    *names*: what they were called on the source. *own*: they're the order's own files; else they are the replica's.
    """

    checkpoint: int
    disks: tuple[Path, ...]
    names: tuple[str, ...]
    own: bool


class Converter(Protocol):
    """Makes a landed system boot on its target machine."""

    def convert(self, disks: Sequence[Path], names: Sequence[str], machine: TargetMachine, account: Path) -> list[str]:
        """Change the system on *disks*, overlays, for *machine*, and return why what was changed, in sentences.

        The whole account, a change set with its undo, goes into the folder *account*. Raises NoSystem where there's
        nothing to boot, and the WherryError that keeps the system from booting.
        """


class Rehearser(Protocol):
    """Boots a copy without network."""

    def rehearse(
        self, disks: Sequence[Path], order: LandingOrder, folder: Path, tell: Callable[[str], None], stopped: Stopped
    ) -> RehearsalResult:
        """Boot overlays over *disks* in *folder*, which is removed at the end, and return what it came to.

        Raises OrderStopped and the WherryError because of which there's no verdict.
        """


class Servers(Protocol):
    """Where servers are made; see `wherry.receiver.drivers.qemu.servers`."""

    def every(self) -> Sequence[ServerNote]:
        """Return all servers."""

    def find(self, server_id: str) -> ServerNote | None:
        """Return what is known of a server."""

    def check(self, machine: TargetMachine) -> None:
        """Raise the WherryError because of which such a machine can't be had here."""

    def define(self, note: ServerNote) -> None:
        """Note what a server is."""

    def launch(self, server_id: str) -> None:
        """Start the server, unless it runs."""

    def in_use(self, server_id: str) -> bool:
        """Whether it runs, or is to run."""

    def status(self, server_id: str) -> str:
        """Return a word for its state, such as running."""

    def record(self, server_id: str) -> Recording:
        """Return what it shows."""

    def roll_back(self, server_id: str) -> None:
        """Stop it and throw away what it wrote."""
