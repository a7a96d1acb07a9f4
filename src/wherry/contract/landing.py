"""What becomes of a landed system: target machines, orders to receivers, rehearsals. All under /wherry/v1.

A *landing* is the way of a task's consistent checkpoint to a server that runs; an *order* is one thing of it that a
receiver is told to do; a *rehearsal* is a boot of a copy in a machine without network. Times in epoch milliseconds.
"""

from typing import Annotated, Final

from msgspec import Meta, field

from wherry.contract.enumerations import (
    DiskBus,
    Firmware,
    LandingAction,
    LandingOutcome,
    LandingState,
    NetworkWish,
    NicModel,
    OrderKind,
    OrderStage,
    Verdict,
)
from wherry.contract.values import FilledText, Int64, Limit200, LongText, Offset, PathId, PercentInt, Text, Wire

MAX_CONSOLE_BYTES: Final = 1 << 20
"""The console text of a rehearsal at most, in UTF-8; of a longer one the end is kept."""
MAX_SCREENSHOT_BYTES: Final = 1 << 20
"""The picture of a rehearsal's screen at most."""

UnitNames = Annotated[list[Text], Meta(max_length=500)]
CheckCommand = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
ErrorText = Annotated[str, Meta(max_length=2048)]
OutputText = Annotated[str, Meta(max_length=8192)]
Mac = Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$(?!\n)")]
NetworkNames = Annotated[
    list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]], Meta(max_length=32)
]
DEFAULT_NETWORK: Final = "default"
"""The network of cards for which none is named; what it is, the receiver's operator says."""
ISOLATED_NETWORK: Final = "isolated"
"""A network on which a card gets an address, and reaches nobody."""
Seconds = Annotated[float, Meta(ge=0, le=86400)]


class TargetMachine(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The machine that a landed system is made to run on. `memory_mb` in MiB; `macs`: one for each network card.

    `networks`: names of the receiver's networks, one for each card; further cards are on the last one's, all on
    `default` where none is named. On `isolated` a card reaches nobody.
    """

    firmware: Firmware = Firmware.BIOS
    vcpus: Annotated[int, Meta(ge=1, le=1024)] = 2
    memory_mb: Annotated[int, Meta(ge=64, le=16 << 20)] = 2048
    disk_bus: DiskBus = DiskBus.VIRTIO_BLK
    nic_model: NicModel = NicModel.VIRTIO
    macs: Annotated[list[Mac], Meta(max_length=32)] = field(default_factory=list)
    network: NetworkWish = NetworkWish.DHCP
    networks: NetworkNames = field(default_factory=list)


class TargetMachineWish(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/tasks/{id}/target-machine: what isn't sent is recommended from source and template.

    `clone_networks`: the networks of a clone's cards; it's isolated where none is named, since it has the names and
    perhaps the addresses of a server that runs.
    """

    firmware: Firmware | None = None
    vcpus: Annotated[int, Meta(ge=1, le=1024)] | None = None
    memory_mb: Annotated[int, Meta(ge=64, le=16 << 20)] | None = None
    disk_bus: DiskBus | None = None
    nic_model: NicModel | None = None
    macs: Annotated[list[Mac], Meta(max_length=32)] | None = None
    network: NetworkWish | None = None
    networks: NetworkNames | None = None
    clone_networks: NetworkNames | None = None


class RecommendationQuery(Wire, frozen=True, kw_only=True):
    """Query of GET /wherry/v1/sources/{id}/target-machine. `template_id`: of the server that is to be made, if any."""

    template_id: Text | None = None


class LandingError(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Why something failed: code, what happened, its cause, its fix."""

    code: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,12}\.[0-9]{4}$(?!\n)")]
    message: ErrorText
    cause: ErrorText = ""
    fix: ErrorText = ""


class RehearsalCheck(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A command that is run in the copy once it's up, by /bin/sh; it passes when its exit status is 0."""

    name: FilledText
    command: CheckCommand
    timeout_s: Annotated[int, Meta(ge=1, le=3600)] = 60


Checks = Annotated[list[RehearsalCheck], Meta(max_length=50)]
LimitSeconds = Annotated[int, Meta(ge=10, le=86400)]
DEFAULT_LIMIT_S: Final = 1800
"""How long a copy may take to come up, in seconds, unless the user says otherwise."""


class RehearsalSettings(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What the rehearsals of a task's cutover and drill ask; PUT and GET /wherry/v1/tasks/{id}/rehearsal-settings.

    `strict_units`: a unit of systemd that fails in the copy, and hadn't failed on the source, fails the rehearsal.
    """

    checks: Checks = field(default_factory=list)
    limit_s: LimitSeconds = DEFAULT_LIMIT_S
    strict_units: bool = False


class RehearsalRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/tasks/{id}/rehearsals.

    It's of the newest consistent checkpoint; with `fresh` the agent takes a new one for it, for which the server is
    frozen for a moment. `limit_s`: how long the copy may take to come up, in seconds. `strict_units`: a unit of systemd
    that fails in the copy only fails the rehearsal. What of these isn't sent is as in the task's rehearsal settings.
    """

    checks: Checks = field(default_factory=list)
    limit_s: LimitSeconds = DEFAULT_LIMIT_S
    strict_units: bool = False
    fresh: bool = False


class LandingRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/tasks/{id}/landing: the agent's word that the consistent checkpoint is proven.

    `failed_units`: the units of systemd that have failed on the source; null where that isn't known.
    """

    checkpoint: Int64
    failed_units: UnitNames | None = None


class OrderSummary(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """An order as users see it. `checkpoint` null: not known yet which."""

    id: str
    kind: OrderKind
    stage: OrderStage
    checkpoint: int | None = None
    progress: int = 0
    note: str = ""
    error: LandingError | None = None
    ordered_at: int = 0
    changed_at: int = 0


class Landing(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Answer of GET /wherry/v1/tasks/{id}/landing.

    `outcome`: what it means for an agent that waits. `kind`: what was ordered, empty before. `boots`: whether the
    task's receiver boots what lands there. `checkpoint_wanted`: an order waits for a consistent checkpoint, which the
    agent is to take. `orders`: those under way. `actions`: what may be done with the landed system just now. `version`
    changes with everything in it.
    """

    task_id: str
    state: LandingState
    outcome: LandingOutcome
    kind: str = ""
    checkpoint: int | None = None
    order_id: str = ""
    server_id: str = ""
    progress: int = 0
    note: str = ""
    error: LandingError | None = None
    boots: bool = False
    checkpoint_wanted: bool = False
    orders: list[OrderSummary] = field(default_factory=list)
    actions: list[LandingAction] = field(default_factory=list)
    version: int = 0
    changed_at: int = 0


class LandingQuery(Wire, frozen=True, kw_only=True):
    """Query of a landing: the version that the caller knows, to wait for another one."""

    known: Int64 | None = None


class LandingOrder(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """An order as a receiver gets it, with the task's assignment.

    `checkpoint` null: the newest consistent one; with `fresh`, one that is taken after the order. `server_id` and
    `server_name`: of the target or the clone. `failed_before`: the units that had failed on the source when its agent
    last told; null where nobody knows. `strict_units`: others that fail in the copy fail its rehearsal.
    """

    id: str
    task_id: str
    kind: OrderKind
    target: TargetMachine
    checkpoint: int | None = None
    fresh: bool = False
    checks: list[RehearsalCheck] = field(default_factory=list)
    limit_s: int = DEFAULT_LIMIT_S
    failed_before: list[str] | None = None
    strict_units: bool = False
    server_id: str = ""
    server_name: str = ""


class RehearsalStage(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A stage of a boot, and when it was reached: seconds since the machine was switched on."""

    name: Text
    at_s: Seconds


class RehearsedCheck(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What a check came to. `status` null: it didn't end in time. `output`: its end."""

    name: Text
    status: int | None = None
    output: OutputText = ""


class RehearsalResult(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What a rehearsal came to, as a receiver reports it. Console text and picture in base64.

    `failed_units`: all that failed in the copy; `new_failed_units`: those of them that hadn't failed on the source,
    null where nobody knows that.
    """

    verdict: Verdict
    seconds: Seconds = 0.0
    error: LandingError | None = None
    stages: Annotated[list[RehearsalStage], Meta(max_length=100)] = field(default_factory=list)
    failed_units: UnitNames = field(default_factory=list)
    new_failed_units: UnitNames | None = None
    checks: Annotated[list[RehearsedCheck], Meta(max_length=50)] = field(default_factory=list)
    changes: Annotated[list[LongText], Meta(max_length=500)] = field(default_factory=list)
    console: Annotated[bytes, Meta(max_length=MAX_CONSOLE_BYTES)] = b""
    screenshot: Annotated[bytes, Meta(max_length=MAX_SCREENSHOT_BYTES)] = b""


class Recording(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What a launched target shows: the end of its console's text, and its screen as PNG. In base64."""

    console: Annotated[bytes, Meta(max_length=MAX_CONSOLE_BYTES)] = b""
    screenshot: Annotated[bytes, Meta(max_length=MAX_SCREENSHOT_BYTES)] = b""


class OrderReport(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/receivers/{id}/orders/{order_id}: how far a receiver is with an order.

    `error` comes with the stage "failed". `rehearsal` comes once, with the end of what was rehearsed,
    `recording` with that of what was recorded.
    """

    stage: OrderStage
    progress: PercentInt = 0
    note: LongText = ""
    checkpoint: Int64 | None = None
    server_id: Annotated[str, Meta(max_length=36)] = ""
    server_name: Text = ""
    error: LandingError | None = None
    rehearsal: RehearsalResult | None = None
    recording: Recording | None = None


class Rehearsal(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A rehearsal as users see it. `verdict` is null while it's under way; `kind`: what it was a part of.

    `failed_units`: the units of systemd that failed in the copy; `new_failed_units`: those that hadn't failed on the
    source, null where nobody knows that.
    `console_bytes` and `screenshot_bytes`: how much there is to fetch at /console and /screenshot.
    """

    id: str
    task_id: str
    source_id: str
    kind: OrderKind
    stage: OrderStage
    ordered_at: int
    checkpoint: int | None = None
    verdict: Verdict | None = None
    finished_at: int | None = None
    seconds: float = 0.0
    note: str = ""
    error: LandingError | None = None
    stages: list[RehearsalStage] = field(default_factory=list)
    failed_units: list[str] = field(default_factory=list)
    new_failed_units: list[str] | None = None
    checks: list[RehearsedCheck] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    console_bytes: int = 0
    screenshot_bytes: int = 0


class RehearsalList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/rehearsals, the newest first."""

    count: int
    rehearsals: list[Rehearsal]


class RehearsalsQuery(Wire, frozen=True, kw_only=True):
    """Filters of GET /wherry/v1/rehearsals; they combine with AND."""

    task_id: PathId | None = None
    source_id: PathId | None = None
    verdict: Verdict | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None
