"""The report of a migration: what was moved, how, when, and what proves it. GET /wherry/v1/tasks/{id}/report.

Sizes in bytes, times in epoch milliseconds, durations as the field says.
"""

from msgspec import field

from wherry.contract.landing import RehearsalStage, RehearsedCheck
from wherry.contract.values import Text, Wire
from wherry.contract.wherry import PassFigures


class ReportQuery(Wire, frozen=True, kw_only=True):
    """Query of a report: `format` is ``json`` or ``html``; without it the header Accept decides."""

    format: Text | None = None


class ReportDisk(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A disk of the source."""

    name: str
    size: int = 0


class ReportSource(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The server that was moved. `memory_mb` in MiB."""

    id: str
    name: str = ""
    address: str = ""
    system: str = ""
    firmware: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disks: list[ReportDisk] = field(default_factory=list)


class ReportTarget(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Where it was moved to. `landing`: what became of the landed system."""

    server_id: str = ""
    name: str = ""
    receiver: str = ""
    landing: str = ""


class ReportEvent(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A line of the timeline. `kind`: "source", "task", "landing", "rehearsal" or "proof"; `what`: in words."""

    at: int
    kind: str
    what: str
    why: str = ""


class ReportBytes(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What was read and sent. `compression`: bytes that changed for each byte of payload; null before any was sent.

    `frozen_ms`: how long the server stood still for the last consistent checkpoint.
    """

    disk_bytes: int = 0
    used_bytes: int = 0
    read_bytes: int = 0
    changed_bytes: int = 0
    sent_bytes: int = 0
    resent_bytes: int = 0
    wire_bytes: int = 0
    compression: float | None = None
    frozen_ms: float = 0.0
    tracking: str = ""
    passes: list[PassFigures] = field(default_factory=list)


class ProvenDisk(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A disk of the proof: its Merkle root, which both sides have found."""

    name: str
    size: int
    root: str


class ReportProof(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The newest proof. `signature_valid`: it's right, and this control plane's authority vouches for it."""

    checkpoint: int
    taken_at: int
    signed_at: int
    key_id: str
    signature_valid: bool
    disks: list[ProvenDisk] = field(default_factory=list)


class ReportRehearsal(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What a rehearsal came to. `new_failed_units`: those that hadn't failed on the source; null: not known."""

    id: str
    kind: str
    verdict: str
    finished_at: int
    checkpoint: int | None = None
    seconds: float = 0.0
    stages: list[RehearsalStage] = field(default_factory=list)
    failed_units: list[str] = field(default_factory=list)
    new_failed_units: list[str] | None = None
    checks: list[RehearsedCheck] = field(default_factory=list)


class ReportError(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Something that failed. `of`: "task", "landing" or "rehearsal"; `at` null: not known."""

    of: str
    code: str
    message: str
    cause: str = ""
    fix: str = ""
    at: int | None = None


class ReportConsistency(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A folder of the newest consistency check."""

    folder: str
    files: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0


class ReportVersions(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Which versions were at work, as far as is known."""

    control_plane: str
    agent: str = ""
    receiver: str = ""


class Report(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The report of a migration.

    `changes`: what was changed in the copy to make it boot, as the newest rehearsal tells. `duration_ms`: from the
    start to the end, null while it runs.
    """

    task_id: str
    task_name: str
    state: str
    generated_at: int
    created_at: int
    started_at: int | None
    finished_at: int | None
    duration_ms: int | None
    source: ReportSource
    target: ReportTarget
    versions: ReportVersions
    timeline: list[ReportEvent] = field(default_factory=list)
    bytes: ReportBytes | None = None
    proof: ReportProof | None = None
    rehearsals: list[ReportRehearsal] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    consistency: list[ReportConsistency] = field(default_factory=list)
    errors: list[ReportError] = field(default_factory=list)
    version: int = 1
