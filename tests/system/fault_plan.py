"""What happens to a migration, drawn from a seed: which faults, in which phase, to whom. Pure functions."""

import random
from dataclasses import dataclass, replace
from enum import Enum

from tests.system.fault_source import FILESYSTEMS
from tests.system.faulty_folder import Rule
from tests.system.faulty_link import Fault, Kind

MIB = 1 << 20
PROGRAMS = ("agent", "receiver", "serve")
NAMES = ("disk-*.raw", "disk-*.digests", "*.redo", "*replica.json*")


class Phase(Enum):
    """When something happens."""

    COPYING = "copying"
    SYNCING = "syncing"
    LAST_PASSES = "last passes"
    FROZEN = "frozen"


@dataclass(frozen=True)
class Blow:
    """Something that happens in *phase*.

    A *fault* of the link, a *rule* of the receiver's medium, or neither. *victim*: who is killed, when the fault or the
    rule has struck, or just so; "" for nobody. *little*: what is under way by then are single blocks. *patient*:
    whether a connection that vanished is left to be noticed.
    """

    phase: Phase
    fault: Fault | None = None
    rule: Rule | None = None
    victim: str = ""
    little: bool = False
    patient: bool = False

    def __str__(self) -> str:
        parts = [self.phase.value, self.fault, self.rule, self.victim and f"kill {self.victim}"]
        marks = " (single blocks)" * self.little + " (patient)" * self.patient
        return ": ".join(str(part) for part in parts if part) + marks


@dataclass(frozen=True)
class Plan:
    """A migration and what happens to it."""

    connections: int
    filesystem: str
    tracked: bool
    blows: tuple[Blow, ...]

    def __str__(self) -> str:
        what = f"{self.filesystem or ('a device' if self.tracked else 'an image')} over {self.connections} connections"
        return "\n".join((what, *(f"  {blow}" for blow in self.blows)))


def draw(seed: int) -> Plan:
    """Return the plan of *seed*."""
    chance = random.Random(f"plan {seed}")
    connections = chance.choice((1, 2, 3, 3))
    filesystem = chance.choice(("", "", *FILESYSTEMS))
    tracked = chance.random() < 0.7
    phases = [Phase.COPYING, Phase.SYNCING, Phase.SYNCING, Phase.LAST_PASSES, Phase.FROZEN]
    chosen = [phase for phase in phases if chance.random() < 0.75]
    blows = [_frozen(chance) if phase is Phase.FROZEN else _blow(chance, phase, connections) for phase in chosen]
    # More than one wait of a minute would take too long.
    patient = [place for place, blow in enumerate(blows) if blow.patient]
    for place in patient[1:]:
        blows[place] = replace(blows[place], patient=False)
    return Plan(connections, filesystem, tracked, tuple(replace(blow, little=chance.random() < 0.4) for blow in blows))


def _blow(chance: random.Random, phase: Phase, connections: int) -> Blow:
    what = chance.choice(("link", "link", "kill", "medium"))
    if what == "medium" and phase is not Phase.LAST_PASSES:
        return _medium(chance, phase)
    lane = chance.choice((None, *range(connections)))
    after = chance.randrange(64, 2 * MIB if phase is Phase.COPYING else MIB // 2)
    if what == "kill":
        return Blow(phase, Fault(Kind.HOLD, after, lane=lane), victim=chance.choice(PROGRAMS))
    kind = chance.choice([kind for kind in Kind if kind is not Kind.HOLD])
    vanishes = kind in {Kind.SILENCE, Kind.HALF_OPEN}
    return Blow(phase, Fault(kind, after, lane=lane), patient=vanishes and chance.random() < 0.2)


def _medium(chance: random.Random, phase: Phase) -> Blow:
    name = chance.choice(NAMES[:2] if phase is Phase.COPYING else NAMES)
    after = chance.randrange(8)
    if chance.random() < 0.3:
        return Blow(phase, rule=Rule("write", name, "HOLD", after), victim="receiver")
    call, failure = chance.choice((("write", "ENOSPC"), ("write", "EIO"), ("fsync", "EIO"), ("fsync", "ENOSPC")))
    return Blow(phase, rule=Rule(call, name, failure, after, before=chance.random() < 0.5))


def _frozen(chance: random.Random) -> Blow:
    return Blow(Phase.FROZEN, victim=chance.choice(PROGRAMS))
