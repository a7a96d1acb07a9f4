"""Source servers: registering, reading, listing, renaming, and the state an agent reports."""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.disk_choice import (
    ChosenDisk,
    ChosenVolumeGroup,
    DiskChoice,
    InitTargetServer,
    VolumeGroupChoice,
)
from wherry.contract.enumerations import (
    CheckResult,
    CloneState,
    CycleText,
    FirmwareText,
    LogCollectStatus,
    MigrationCycle,
    OsType,
    PlatformText,
    SourceState,
)
from wherry.contract.storage import BtrfsFileSystem, Disk, Network, VolumeGroup
from wherry.contract.values import (
    MAX_ITEMS,
    Count16,
    FilledText,
    Int64,
    Limit200,
    Offset,
    PathId,
    Rate,
    Text,
    Wire,
)


class Registration(Wire, frozen=True, kw_only=True):
    """Body of RegisterServer. `memory` is documented in MB here.

    The newest reference also requires os_version, agent_version, networks and one of ip and ipv6. Older clients leave
    them out, so they are optional here and what's missing becomes a warning among the environment checks.
    """

    name: FilledText
    os_type: OsType
    id: Text | None = None
    ip: Text | None = None
    ipv6: Text | None = None
    hostname: Text | None = None
    os_version: Text | None = None
    linux_block_check: Text | None = None
    firmware: FirmwareText | None = None
    cpu_quantity: Count16 | None = None
    memory: Int64 | None = None
    disks: Annotated[list[Disk], Meta(max_length=MAX_ITEMS)] | None = None
    btrfs_list: Annotated[list[BtrfsFileSystem], Meta(max_length=MAX_ITEMS)] | None = None
    networks: Annotated[list[Network], Meta(max_length=MAX_ITEMS)] | None = None
    domain_id: Text | None = None
    has_rsync: bool | None = None
    paravirtualization: bool | None = None
    raw_devices: Text | None = None
    driver_files: bool | None = None
    system_services: bool | None = None
    account_rights: bool | None = None
    boot_loader: Text | None = None
    system_dir: Text | None = None
    volume_groups: Annotated[list[VolumeGroup], Meta(max_length=MAX_ITEMS)] | None = None
    agent_version: Text | None = None
    kernel_version: Text | None = None
    migration_cycle: CycleText | None = None
    state: Text | None = None
    oem_system: bool | None = None
    start_type: Text | None = None
    io_read_wait: Rate | None = None
    has_tc: bool | None = None
    platform: PlatformText | None = None


class SourceUpdate(Wire, frozen=True, kw_only=True):
    """Body of UpdateServerName. Disks and volume groups count only while the source waits for its target."""

    name: Text | None = None
    migproject_id: Text | None = field(name="migprojectid", default=None)
    disks: Annotated[list[DiskChoice], Meta(max_length=MAX_ITEMS)] | None = None
    volume_groups: Annotated[list[VolumeGroupChoice], Meta(max_length=MAX_ITEMS)] | None = None


class CopyStateUpdate(Wire, frozen=True, kw_only=True):
    """Body of UpdateCopyState. Texts, because a guarded source accepts them unvalidated."""

    copy_state: Text = field(name="copystate")
    migration_cycle: Text = field(name="migrationcycle")


class SourceIds(Wire, frozen=True, kw_only=True):
    """Body of DeleteServers."""

    ids: Annotated[list[PathId], Meta(min_length=1, max_length=50)]


class ListServersQuery(Wire, frozen=True, kw_only=True):
    """Filters of ListServers; they combine with AND, and ip wins over ipv6."""

    state: SourceState | None = None
    name: Text | None = None
    id: Text | None = None
    ip: Text | None = None
    ipv6: Text | None = None
    migproject: Text | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None
    migration_cycle: MigrationCycle | None = None
    connected: bool | None = None
    enterprise_project_id: Text | None = None
    is_consistency_result_exist: bool | None = None
    vm_id: Text | None = None


class EnvironmentCheck(Wire, frozen=True, kw_only=True):
    """One finding about a source's fitness. `error_params` is text, though `params` is a list."""

    id: Int64
    name: str
    result: CheckResult
    params: list[str] | None = None
    error_code: str | None = None
    error_or_warn: str | None = None
    error_params: str | None = None


class CloneServer(Wire, frozen=True, kw_only=True):
    """The clone of a task's target."""

    vm_id: Text | None = None
    name: Text | None = None
    clone_error: Text | None = None
    clone_state: CloneState | None = None
    error_msg: Annotated[str, Meta(max_length=1024)] | None = None


class TargetBrief(Wire, frozen=True, kw_only=True):
    """The target server inside a source's current task."""

    vm_id: str | None = None
    name: str | None = None


class CurrentTask(Wire, frozen=True, kw_only=True):
    """A source's task in ShowServer. `clone_server` is left out when there's none: an empty object breaks clients."""

    id: str
    name: str | None = None
    type: str | None = None
    state: str | None = None
    start_date: int | None = None
    speed_limit: int | None = None
    migrate_speed: float | None = None
    start_target_server: bool | None = None
    vm_template_id: str | None = None
    region_id: str | None = None
    project_name: str | None = None
    project_id: str | None = None
    target_server: TargetBrief | None = None
    log_collect_status: LogCollectStatus | None = None
    exist_server: bool | None = None
    use_public_ip: bool | None = None
    clone_server: CloneServer | None = None
    subtask_info: str | None = None


class CurrentTaskInList(CurrentTask, frozen=True, kw_only=True):
    """A source's task in ListServers: longer than in ShowServer."""

    estimate_complete_time: int | None = None
    compress_rate: float | None = None
    remain_seconds: int | None = None
    log_bucket: str | None = None
    log_expire: int | None = None
    log_upload_time: int | None = None
    log_share_url: str | None = None


class SourceSummary(Wire, frozen=True, kw_only=True):
    """An item of ListServers. `memory` is documented in bytes here; it's what was registered."""

    id: str
    name: str
    add_date: int
    os_type: str
    state: SourceState
    connected: bool
    ip: str | None = None
    enterprise_project_id: str | None = None
    os_version: str | None = None
    oem_system: bool | None = None
    cpu_quantity: int | None = None
    memory: int | None = None
    current_task: CurrentTaskInList | None = None
    checks: list[EnvironmentCheck] | None = None
    init_target_server: InitTargetServer | None = None
    replicate_size: int | None = field(name="replicatesize", default=None)
    total_size: int | None = field(name="totalsize", default=None)
    last_visit_time: int | None = None
    stage_action_time: int | None = None
    state_action_time: int | None = None
    migration_cycle: str | None = None
    is_consistency_result_exist: bool | None = None
    has_tc: bool | None = None
    start_type: str | None = None


class SourceList(Wire, frozen=True, kw_only=True):
    """Answer of ListServers."""

    count: int
    source_servers: list[SourceSummary]


class SourceDetail(Wire, frozen=True, kw_only=True):
    """Answer of ShowServer: everything registered and everything found out since.

    The fields after `start_type` are outside the published definition; they say what the agent registered.
    """

    id: str
    name: str
    add_date: int
    os_type: str
    state: SourceState
    connected: bool
    ip: str | None = None
    hostname: str | None = None
    enterprise_project_id: str | None = None
    os_version: str | None = None
    oem_system: bool | None = None
    firmware: str | None = None
    init_target_server: InitTargetServer | None = None
    cpu_quantity: int | None = None
    memory: int | None = None
    current_task: CurrentTask | None = None
    disks: list[ChosenDisk] | None = None
    volume_groups: list[ChosenVolumeGroup] | None = None
    btrfs_list: list[BtrfsFileSystem] | None = None
    networks: list[Network] | None = None
    checks: list[EnvironmentCheck] | None = None
    migration_cycle: str | None = None
    state_action_time: int | None = None
    replicate_size: int | None = field(name="replicatesize", default=None)
    total_size: int | None = field(name="totalsize", default=None)
    last_visit_time: int | None = None
    stage_action_time: int | None = None
    agent_version: str | None = None
    has_tc: bool | None = None
    start_type: str | None = None
    ipv6: str | None = None
    kernel_version: str | None = None
    linux_block_check: str | None = None
    has_rsync: bool | None = None
    paravirtualization: bool | None = None
    raw_devices: str | None = None
    driver_files: bool | None = None
    system_services: bool | None = None
    account_rights: bool | None = None
    boot_loader: str | None = None
    system_dir: str | None = None
    io_read_wait: float | None = None
    platform: str | None = None
    migproject_id: str | None = field(name="migprojectid", default=None)


class MigrationError(Wire, frozen=True, kw_only=True):
    """An item of ListErrorServers. `error_json` is text that holds JSON, with `error_param` as text again inside."""

    error_json: str
    host_name: str
    name: str
    source_id: str
    source_ip: str
    target_ip: str


class MigrationErrorList(Wire, frozen=True, kw_only=True):
    """Answer of ListErrorServers."""

    count: int
    migration_errors: list[MigrationError]


class ListErrorServersQuery(Wire, frozen=True, kw_only=True):
    """Query of ListErrorServers. `offset` is called mandatory although it has a default; it may be missing."""

    limit: Annotated[int, Meta(ge=0, le=100)] | None = None
    offset: Offset | None = None
    enterprise_project_id: Text | None = None
