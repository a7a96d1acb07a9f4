"""Migration tasks: creating, reading, changing, acting on them, and the progress an agent reports."""

from typing import Annotated

from msgspec import Meta, field

from wherry.contract.configuration import ConfigSetting
from wherry.contract.enumerations import (
    Action,
    BootLoaderText,
    FirmwareText,
    LogCollectStatus,
    OsTypeText,
    SourceState,
    Subtask,
    TaskState,
    TaskStateFilter,
    TaskType,
)
from wherry.contract.network_check import NetworkCheck
from wherry.contract.sources import CloneServer
from wherry.contract.storage import BtrfsFileSystem, Network, TargetDisk, VolumeGroup, WantedDisk
from wherry.contract.values import (
    MAX_ITEMS,
    Count16,
    IdListText,
    Int32,
    Int64,
    Limit200,
    LongText,
    Memory,
    Offset,
    PathId,
    Percent,
    PercentInt,
    Rate,
    ShortText,
    SpeedMbit,
    TaskName,
    Text,
    Threshold,
    TraceText,
    Wire,
)


class SourceReference(Wire, frozen=True, kw_only=True):
    """Which source a new task is for."""

    id: Text | None = None


class WantedTarget(Wire, frozen=True, kw_only=True):
    """The target of a new task. Clients that let the service create it send disks only."""

    btrfs_list: Annotated[list[BtrfsFileSystem], Meta(max_length=MAX_ITEMS)] | None = None
    disks: Annotated[list[WantedDisk], Meta(max_length=MAX_ITEMS)] | None = None
    name: Text | None = None
    vm_id: Text | None = None
    volume_groups: Annotated[list[VolumeGroup], Meta(max_length=MAX_ITEMS)] | None = None


class TaskCreation(Wire, frozen=True, kw_only=True):
    """Body of CreateTask.

    name, type, os_type, source_server, target_server and migration_ip are loose here because each of their faults has a
    code of its own; `migration.creation` judges them. Rates in Mbit/s.
    """

    name: Text
    type: Text
    region_name: Text
    region_id: Text
    project_name: Text
    project_id: Text
    source_server: SourceReference | None = None
    target_server: WantedTarget | None = None
    start_target_server: bool | None = None
    auto_start: bool | None = None
    os_type: Text | None = None
    migration_ip: Text | None = None
    priority: Count16 | None = None
    vm_template_id: ShortText | None = None
    clonevm_template_id: ShortText | None = None
    use_public_ip: bool | None = None
    use_ipv6: bool | None = None
    syncing: bool | None = None
    exist_server: bool | None = None
    start_network_check: bool | None = None
    speed_limit: SpeedMbit | None = None
    over_speed_threshold: Threshold | None = None
    is_need_consistency_check: bool | None = None
    need_migration_test: bool | None = None


class TargetServer(Wire, frozen=True, kw_only=True):
    """The target inside UpdateTask, as an agent describes it."""

    id: Text | None = None
    ip: Text | None = None
    name: Text | None = None
    hostname: Text | None = None
    os_type: OsTypeText | None = None
    os_version: Text | None = None
    firmware: FirmwareText | None = None
    cpu_quantity: Count16 | None = None
    memory: Int64 | None = None
    btrfs_list: Annotated[list[BtrfsFileSystem], Meta(max_length=MAX_ITEMS)] | None = None
    networks: Annotated[list[Network], Meta(max_length=MAX_ITEMS)] | None = None
    domain_id: Text | None = None
    has_rsync: bool | None = None
    paravirtualization: bool | None = None
    raw_devices: Text | None = None
    driver_files: bool | None = None
    system_services: bool | None = None
    account_rights: bool | None = None
    boot_loader: BootLoaderText | None = None
    system_dir: Text | None = None
    volume_groups: Annotated[list[VolumeGroup], Meta(max_length=MAX_ITEMS)] | None = None
    vm_id: Text | None = None
    flavor: Text | None = None
    disks: Annotated[list[TargetDisk], Meta(max_length=MAX_ITEMS)] | None = None
    image_disk_id: Text | None = None
    snapshot_ids: Text | None = None
    cutovered_snapshot_ids: Text | None = None


class TaskUpdate(Wire, frozen=True, kw_only=True):
    """Body of UpdateTask. What older clients send besides (state, sub_tasks, ...) is ignored."""

    name: TaskName | None = None
    type: TaskType | None = None
    region_id: Text | None = None
    region_name: Text | None = None
    exist_server: bool | None = None
    migration_ip: Text | None = None
    use_ipv6: bool | None = None
    use_public_ip: bool | None = None
    speed_limit: SpeedMbit | None = None
    project_name: Text | None = None
    project_id: Text | None = None
    enterprise_project: Annotated[str, Meta(max_length=36)] | None = None
    image_disk_id: Text | None = None
    vm_template_id: ShortText | None = None
    target_disk_ids: IdListText | None = None
    snapshot_ids: LongText | None = None
    cutovered_snapshot_ids: LongText | None = None
    target_server: TargetServer | None = None
    clone_server: CloneServer | None = None


class TaskAction(Wire, frozen=True, kw_only=True):
    """Body of UpdateTaskStatus."""

    operation: Action
    template_id: Text | None = None
    switch_hce: bool | None = None
    is_need_consistency_check: bool | None = None


class TaskProgress(Wire, frozen=True, kw_only=True):
    """Body of UpdateTaskSpeed. Sizes in bytes, speed in Mbit/s, remain_time in seconds."""

    subtask_name: Subtask
    progress: PercentInt
    replicate_size: Int64 = field(name="replicatesize")
    total_size: Int64 = field(name="totalsize")
    process_trace: TraceText
    migrate_speed: Rate | None = None
    compress_rate: Rate | None = None
    remain_time: Int32 | None = None
    total_cpu_usage: Percent | None = None
    agent_cpu_usage: Percent | None = None
    total_mem_usage: Memory | None = None
    agent_mem_usage: Memory | None = None
    total_disk_io: Rate | None = None
    agent_disk_io: Rate | None = None
    need_migration_test: bool | None = None
    agent_time: Annotated[str, Meta(max_length=30)] | None = None


class TaskIds(Wire, frozen=True, kw_only=True):
    """Body of DeleteTasks."""

    ids: Annotated[list[Text], Meta(min_length=1, max_length=50)]


class LogCollection(Wire, frozen=True, kw_only=True):
    """Body of CollectLog."""

    log_bucket: Text


class ListTasksQuery(Wire, frozen=True, kw_only=True):
    """Filters of ListTasks."""

    state: TaskStateFilter | None = None
    name: Text | None = None
    id: PathId | None = None
    source_server_id: PathId | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None
    enterprise_project_id: Text | None = None


class SubtaskDetail(Wire, frozen=True, kw_only=True):
    """A step of a task in ShowTask."""

    progress: int
    id: int | None = None
    name: str | None = None
    start_date: int | None = None
    end_date: int | None = None
    migrate_speed: float | None = None
    user_op: str | None = None
    process_trace: str | None = None


class SubtaskSummary(Wire, frozen=True, kw_only=True):
    """A step of a task in ListTasks."""

    progress: int
    id: int | None = None
    name: str | None = None
    start_date: int | None = None
    end_date: int | None = None
    process_trace: str | None = None


class SourceInTaskList(Wire, frozen=True, kw_only=True):
    """The source of a task in ListTasks. `ip` is empty where the source registered none."""

    id: str
    ip: str
    name: str
    os_type: str
    os_version: str | None = None
    oem_system: bool | None = None
    state: SourceState | None = None


class SourceInTask(SourceInTaskList, frozen=True, kw_only=True):
    """The source of a task in ShowTask."""

    migration_cycle: str | None = None


class TargetInTaskList(Wire, frozen=True, kw_only=True):
    """The target of a task in ListTasks."""

    id: str | None = None
    vm_id: str | None = None
    name: str | None = None
    ip: str | None = None
    os_type: str | None = None
    os_version: str | None = None


class TargetInTask(Wire, frozen=True, kw_only=True):
    """The target of a task in ShowTask. `btrfs_list` is a list of names here."""

    disks: list[TargetDisk]
    id: str | None = None
    vm_id: str | None = None
    name: str | None = None
    ip: str | None = None
    os_type: str | None = None
    os_version: str | None = None
    system_dir: str | None = None
    volume_groups: list[VolumeGroup] | None = None
    btrfs_list: list[str] | None = None
    image_disk_id: str | None = None
    cutovered_snapshot_ids: str | None = None


class CloneBrief(Wire, frozen=True, kw_only=True):
    """The clone of a task in ListTasks."""

    vm_id: str | None = None
    name: str | None = None


class TaskSummary(Wire, frozen=True, kw_only=True):
    """An item of ListTasks."""

    id: str
    name: str
    type: str
    state: TaskState
    create_date: int
    os_type: str | None = None
    estimate_complete_time: int | None = None
    priority: int | None = None
    speed_limit: int | None = None
    migrate_speed: float | None = None
    compress_rate: float | None = None
    start_target_server: bool | None = None
    error_json: str | None = None
    total_time: int | None = None
    migration_ip: str | None = None
    sub_tasks: list[SubtaskSummary] | None = None
    source_server: SourceInTaskList | None = None
    enterprise_project_id: str | None = None
    target_server: TargetInTaskList | None = None
    log_collect_status: LogCollectStatus | None = None
    clone_server: CloneBrief | None = None
    syncing: bool | None = None
    network_check_info: NetworkCheck | None = None
    special_config: list[ConfigSetting] | None = None
    total_cpu_usage: float | None = None
    agent_cpu_usage: float | None = None
    total_mem_usage: float | None = None
    agent_mem_usage: float | None = None
    total_disk_io: float | None = None
    agent_disk_io: float | None = None
    need_migration_test: bool | None = None
    subtask_info: str | None = None


class TaskList(Wire, frozen=True, kw_only=True):
    """Answer of ListTasks."""

    count: int
    tasks: list[TaskSummary]


class TaskDetail(Wire, frozen=True, kw_only=True):
    """Answer of ShowTask. The fields after `subtask_info` are outside the published definition; clients read them."""

    id: str
    name: str
    type: str
    state: TaskState
    create_date: int
    os_type: str | None = None
    priority: int | None = None
    speed_limit: int | None = None
    region_id: str | None = None
    start_target_server: bool | None = None
    enterprise_project_id: str | None = None
    migration_ip: str | None = None
    region_name: str | None = None
    project_name: str | None = None
    project_id: str | None = None
    vm_template_id: str | None = None
    source_server: SourceInTask | None = None
    target_server: TargetInTask | None = None
    estimate_complete_time: int | None = None
    connected: bool | None = None
    start_date: int | None = None
    finish_date: int | None = None
    migrate_speed: float | None = None
    compress_rate: float | None = None
    error_json: str | None = None
    total_time: int | None = None
    float_ip: str | None = None
    remain_seconds: int | None = None
    target_snapshot_id: str | None = None
    clone_server: CloneServer | None = None
    sub_tasks: list[SubtaskDetail] | None = None
    network_check_info: NetworkCheck | None = None
    total_cpu_usage: float | None = None
    agent_cpu_usage: float | None = None
    total_mem_usage: float | None = None
    agent_mem_usage: float | None = None
    total_disk_io: float | None = None
    agent_disk_io: float | None = None
    need_migration_test: bool | None = None
    subtask_info: str | None = None
    use_public_ip: bool | None = None
    syncing: bool | None = None
    use_ipv6: bool | None = None
    exist_server: bool | None = None
    auto_start: bool | None = None
    clonevm_template_id: str | None = None
    start_network_check: bool | None = None
    over_speed_threshold: float | None = None
    is_need_consistency_check: bool | None = None
    log_collect_status: LogCollectStatus | None = None
    special_config: list[ConfigSetting] | None = None
