"""Wherry's own API under /wherry/v1: joining, receivers, routes, figures, proofs, events.

Sizes in bytes, times in epoch milliseconds, durations as the field says.
"""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.enumerations import JoinRole, ReplicationPhase
from wherry.contract.landing import LandingOrder
from wherry.contract.values import (
    MAX_ITEMS,
    FilledText,
    Int32,
    Int64,
    Limit200,
    LongText,
    Offset,
    PathId,
    Text,
    Wire,
)

Port = Annotated[int, Meta(ge=1, le=65535)]
Digest = Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){16,64}$(?!\n)")]
GranuleRun = Annotated[list[Int64], Meta(min_length=2, max_length=2)]


class JoinTokenRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/join-tokens. `expires_s`: seconds until the token is void."""

    role: JoinRole
    expires_s: Annotated[int, Meta(ge=1, le=30 * 86400)] = 3600


class JoinToken(Wire, frozen=True, kw_only=True):
    """Answer of POST /wherry/v1/join-tokens. The token is shown this once."""

    id: str
    token: str
    role: JoinRole
    expires_at: int


class JoinTokensQuery(Wire, frozen=True, kw_only=True):
    """Query of GET /wherry/v1/join-tokens. `usable`: only those that can still be used. `limit` 0 means 100."""

    usable: bool | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None


class JoinTokenSummary(Wire, frozen=True, kw_only=True):
    """A join token without itself. `used_at` and what follows are left out until it was used."""

    id: str
    role: JoinRole
    created_at: int
    expires_at: int
    used_at: int | None = None
    used_by: str | None = None
    access_key: str | None = None


class JoinTokenList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/join-tokens, the newest first."""

    count: int
    join_tokens: list[JoinTokenSummary]


class JoinRequest(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/join; the token is the proof, there's no other authentication."""

    token: Annotated[str, Meta(min_length=1, max_length=1024)]
    name: FilledText


class Joined(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Answer of POST /wherry/v1/join. `receiver_id` is empty for an agent; `ca` is PEM, empty without TLS."""

    role: JoinRole
    access_key: str
    secret_key: str
    domain_id: str
    project_id: str
    receiver_id: str = ""
    ca: str = ""


class AnnouncedDisk(Wire, frozen=True, kw_only=True):
    """A disk of a server that is announced. `size` in bytes."""

    size: Int64
    name: Text = ""
    disk_id: Text = ""
    device_use: Text = ""


class AnnouncedServer(Wire, frozen=True, kw_only=True):
    """A server that exists where the receiver is, and that a task may name as its target.

    `runs`: whether it's switched on; null where the receiver can't tell.
    """

    id: PathId
    name: Text = ""
    runs: bool | None = None
    addresses: Annotated[list[Text], Meta(max_length=64)] = field(default_factory=list)
    disks: Annotated[list[AnnouncedDisk], Meta(max_length=256)] = field(default_factory=list)


class ReceiverAnnouncement(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/receivers/{id}: announcement and heartbeat.

    `servers`: those that can land there besides the receiver's own machine, which is known by the receiver's id.
    """

    name: FilledText
    data_host: FilledText
    data_port: Port
    drivers: Annotated[list[Text], Meta(max_length=32)]
    free_bytes: Int64
    version: Text
    servers: Annotated[list[AnnouncedServer], Meta(max_length=1000)] = field(default_factory=list)


class Receiver(Wire, frozen=True, kw_only=True):
    """A receiver as users see it. `last_contact` 0 = never. `servers`: those that a task may name as its target."""

    id: str
    name: str
    data_host: str
    data_port: int
    drivers: list[str]
    free_bytes: int
    version: str
    connected: bool
    last_contact: int
    servers: list[AnnouncedServer] = field(default_factory=list)


class ReceiverList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/receivers."""

    count: int
    receivers: list[Receiver]


class AssignmentsQuery(Wire, frozen=True, kw_only=True):
    """Query of a receiver's assignments: the version that it knows."""

    known: Int64 | None = None


class Assignment(Wire, frozen=True, kw_only=True):
    """A task that lands on a receiver, with the secrets of its channel.

    The private key is PEM, encrypted with the passphrase. `server_name` is the TLS name by which the agent asks for it.
    `orders`: what the receiver is to do with what landed, the oldest first.
    """

    task_id: str
    name: str
    server_name: str
    state: str
    certificate: str
    private_key: str
    passphrase: str
    ca: str
    orders: list[LandingOrder] = field(default_factory=list)


class Assignments(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/receivers/{id}/assignments."""

    version: int
    assignments: list[Assignment]


class Route(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/tasks/{id}/route: where the agent sends the task's blocks."""

    task_id: str
    receiver_id: str
    host: str
    port: int
    server_name: str


class PassFigures(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What one pass did. `sent_bytes` is payload after compression, `resent_bytes` what went over twice.

    `patched_bytes`: of the changed ones, blocks of 4 KiB that were sent without the 64 KiB that they lie in;
    `unfit_bytes`: what had to be sent as a whole after that, as it was written while it was read.
    `scan`: a disk was read as a whole, as its changes weren't tracked or the tracking couldn't be trusted;
    `scan_reason` says why.
    """

    number: Int32
    read_bytes: Int64 = 0
    changed_bytes: Int64 = 0
    sent_bytes: Int64 = 0
    resent_bytes: Int64 = 0
    patched_bytes: Int64 = 0
    unfit_bytes: Int64 = 0
    seconds: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    consistent: bool = False
    scan: bool = False
    scan_reason: LongText = ""


class WriterFigures(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A process of the source, and what it wrote a second, on all disks together."""

    pid: Int32
    name: Text
    bytes_per_s: Int64


class ForecastFigures(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What the agent expects of the passes to come.

    `converges`: false when passes won't get small enough for a short freeze at this rate. `seconds`: until the last
    pass may begin; `frozen_ms`: how long that will freeze the server; both are null when they don't. `needed_mbit`: the
    rate in Mbit/s that would do, when they don't. `writers`: who writes most, the busiest first, when they don't or the
    freeze would be longer than it may be.
    """

    converges: bool
    seconds: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    frozen_ms: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    needed_mbit: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    writers: Annotated[list[WriterFigures], Meta(max_length=100)] = field(default_factory=list)


class ReplicationFigures(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """The figures of a task's replication, as the agent writes them and users read them.

    `wire_bytes` counts everything that went over the connection. `remaining_bytes` None = not known yet.
    `tracking`: the channels by which changes are tracked, such as "ftrace+ebpf", or "none: " and why; "" = not begun.
    `bottleneck`: what held the running pass up last: "source read", "cpu", "wire", "target write", "limit", "latency
    guard"; "" = not known. `forecast` null = nothing is known yet.
    """

    phase: ReplicationPhase
    pass_number: Int32 = 0
    disk_bytes: Int64 = 0
    used_bytes: Int64 = 0
    read_bytes: Int64 = 0
    changed_bytes: Int64 = 0
    sent_bytes: Int64 = 0
    wire_bytes: Int64 = 0
    resent_bytes: Int64 = 0
    frozen_ms: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    passes: Annotated[list[PassFigures], Meta(max_length=MAX_ITEMS)] = field(default_factory=list)
    remaining_bytes: Int64 | None = None
    rate_mbit: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    checkpoint: Int64 = 0
    watchdog_fired: bool = False
    tracking: LongText = ""
    bottleneck: Text = ""
    forecast: ForecastFigures | None = None


class DiskRoot(Wire, frozen=True, kw_only=True):
    """The Merkle root of a disk. `covered`: [first granule, count] runs that it was computed over."""

    index: Int32
    name: Text
    size: Int64
    granule_size: Int32
    covered: Annotated[list[GranuleRun], Meta(max_length=1 << 24)]
    root: Digest


class ProofHalf(Wire, frozen=True, kw_only=True):
    """One side's word on a checkpoint."""

    checkpoint: Int64
    taken_at: Int64
    disks: Annotated[list[DiskRoot], Meta(min_length=1, max_length=4096)]


class Proof(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Both sides' word, signed.

    `signature` is base64 Ed25519 over the canonical JSON (sorted keys) of the document without `signature`;
    `certificate` is the PEM of the signing certificate, issued by the control plane's CA.
    """

    task_id: str
    source_id: str
    source_name: str
    checkpoint: int
    taken_at: int
    disks: list[DiskRoot]
    signed_at: int
    key_id: str
    certificate: str
    signature: str
    version: int = 1


class StateEvent(Wire, frozen=True, kw_only=True):
    """One state change. `entity` is "source", "task" or "landing"."""

    at: int
    entity: str
    from_state: str = field(name="from")
    to_state: str = field(name="to")
    reason: LongText


class StateEvents(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/tasks/{id}/events, oldest first."""

    count: int
    events: list[StateEvent]
