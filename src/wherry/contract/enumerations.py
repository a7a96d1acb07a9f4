"""Every fixed word of the wire, spelled as the protocol spells it.

The spellings are odd at times (`RESETING`, `DETTACH_AGENT_IMAGE`, `RSET_LOG_ACL`); the members' names are not, so that
the rest of the house never writes an odd one. Source: the protocol reference, "states" and "constraints".
"""

from enum import StrEnum
from typing import Literal


class SourceState(StrEnum):
    """`state` of a source server."""

    UNAVAILABLE = "unavailable"
    WAITING = "waiting"
    INITIALIZE = "initialize"
    REPLICATE = "replicate"
    SYNCING = "syncing"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SKIPPING = "skipping"
    DELETING = "deleting"
    CLEARING = "clearing"
    CLEARED = "cleared"
    CLEAR_FAILED = "clearfailed"
    DRILL_READY = "premigready"
    DRILL_RUNNING = "premiging"
    DRILL_DONE = "premiged"
    DRILL_FAILED = "premigfailed"
    CLONING = "cloning"
    CUTOVERING = "cutovering"
    FINISHED = "finished"
    ERROR = "error"


COPY_STATE_INITIALIZE = "init"
"""What UpdateCopyState writes where every read says `initialize`."""


class MigrationCycle(StrEnum):
    """`migration_cycle` of a source server: the stage that the console shows."""

    CHECKING = "checking"
    SETTING = "setting"
    REPLICATING = "replicating"
    SYNCING = "syncing"
    CUTOVERING = "cutovering"
    CUTOVERED = "cutovered"


class FormerCycle(StrEnum):
    """Cycles that UpdateCopyState still takes, left over from the test-launch flow. No read shows them."""

    NO_READY = "no_ready"
    READY_FOR_TEST = "ready_for_test"
    TESTING = "testing"
    TESTED = "tested"


class TaskState(StrEnum):
    """`state` of a task."""

    READY = "READY"
    RUNNING = "RUNNING"
    SYNCING = "SYNCING"
    MIGRATE_SUCCESS = "MIGRATE_SUCCESS"
    SYNC_SUCCESS = "SYNC_SUCCESS"
    MIGRATE_FAIL = "MIGRATE_FAIL"
    SYNC_FAIL = "SYNC_FAIL"
    ABORTING = "ABORTING"
    ABORT = "ABORT"
    SKIPPING = "SKIPPING"
    DELETING = "DELETING"
    RESETTING = "RESETING"


class TaskStateFilter(StrEnum):
    """What the `state` filter of ListTasks takes: narrower than the states, with two of its own."""

    READY = "READY"
    RUNNING = "RUNNING"
    SYNCING = "SYNCING"
    MIGRATE_SUCCESS = "MIGRATE_SUCCESS"
    MIGRATE_FAIL = "MIGRATE_FAIL"
    ABORTING = "ABORTING"
    ABORT = "ABORT"
    DELETING = "DELETING"
    ROLLING_BACK = "SYNC_F_ROLLBACKING"
    ROLLED_BACK = "SYNC_F_ROLLBACK_SUCCESS"


class TaskType(StrEnum):
    """How a task copies: files of a Linux system, or blocks."""

    MIGRATE_FILE = "MIGRATE_FILE"
    MIGRATE_BLOCK = "MIGRATE_BLOCK"


class MigrateType(StrEnum):
    """`migrate_type` of ShowConfigSetting: operating system and task type in one word."""

    WINDOWS_BLOCK = "WINDOWS_MIGRATE_BLOCK"
    LINUX_FILE = "LINUX_MIGRATE_FILE"
    LINUX_BLOCK = "LINUX_MIGRATE_BLOCK"


class OsType(StrEnum):
    """`os_type` of sources and tasks."""

    WINDOWS = "WINDOWS"
    LINUX = "LINUX"


class Firmware(StrEnum):
    """How a server starts."""

    BIOS = "BIOS"
    UEFI = "UEFI"


class BootLoader(StrEnum):
    """Boot loaders that the models name; registration lets GRUB pass only."""

    GRUB = "GRUB"
    LILO = "LILO"


class PartitionStyle(StrEnum):
    """`partition_style` of a disk."""

    MBR = "MBR"
    GPT = "GPT"


class DeviceUse(StrEnum):
    """`device_use` of disks, partitions and volumes. Free text on the source side."""

    NORMAL = "NORMAL"
    OS = "OS"
    BOOT = "BOOT"
    VOLUME_GROUP = "VOLUME_GROUP"
    BTRFS = "BTRFS"


class Platform(StrEnum):
    """Where a source runs."""

    HUAWEI = "hw"
    ALIBABA = "ali"
    AWS = "aws"
    AZURE = "azure"
    GOOGLE = "gcp"
    TENCENT = "tencent"
    VMWARE = "vmware"
    HYPERV = "hyperv"
    OTHER = "other"
    DEFAULT = "default"


class StartType(StrEnum):
    """Who started the agent. Never validated: any other word means "from MgC"."""

    MANUAL = "MANUAL"
    AUTO = "AUTO"


class Action(StrEnum):
    """`operation` of UpdateTaskStatus. The last two stand in the reference's text only, not in its enumeration."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    TEST = "test"
    CLONE_TEST = "clone_test"
    NETWORK_CHECK = "network_check"
    SKIP = "skip"
    CLEAR = "clear"
    MIGRATION_TEST = "migration_test"
    CUTOVER = "cutover"
    ERROR_FOR_OVERSPEED = "error_for_overspeed"


class CommandName(StrEnum):
    """What an agent polls or reports. Free text on the wire, so results with other names are kept too."""

    START = "START"
    STOP = "STOP"
    DELETE = "DELETE"
    SYNC = "SYNC"
    SKIP = "SKIP"
    PREMIGRATE = "PREMIGRATE"
    UPLOAD_LOG = "UPLOAD_LOG"
    RESET_LOG_ACL = "RSET_LOG_ACL"
    NETWORK_CHECK = "NETWORK_CHECK"
    """Wherry's own: the protocol has the action and the report, but no word by which the agent learns of it."""

    TASK_NOT_STARTED = "TASK_NOT_STARTED"
    TASK_HAS_STOPPED = "TASK_HAS_STOPPED"
    TASK_HAS_FINISHED = "TASK_HAS_FINISHED"


IDLE_COMMANDS = frozenset({CommandName.TASK_NOT_STARTED, CommandName.TASK_HAS_STOPPED, CommandName.TASK_HAS_FINISHED})
"""Names that tell an agent why there's nothing to do; no result answers them."""


class CommandResult(StrEnum):
    """`result` of UpdateCommandResult."""

    SUCCESS = "success"
    FAIL = "fail"


class Subtask(StrEnum):
    """`subtask_name` of UpdateTaskSpeed; CHECK_CONSISTENCY was seen in the field only.

    The names without _FILE or _BLOCK are kept for old agents.
    """

    CREATE_CLOUD_SERVER = "CREATE_CLOUD_SERVER"
    SSL_CONFIG = "SSL_CONFIG"
    ATTACH_AGENT_IMAGE = "ATTACH_AGENT_IMAGE"
    DETACH_AGENT_IMAGE = "DETTACH_AGENT_IMAGE"
    FORMAT_DISK_LINUX = "FORMAT_DISK_LINUX"
    FORMAT_DISK_LINUX_FILE = "FORMAT_DISK_LINUX_FILE"
    FORMAT_DISK_LINUX_BLOCK = "FORMAT_DISK_LINUX_BLOCK"
    FORMAT_DISK_WINDOWS = "FORMAT_DISK_WINDOWS"
    MIGRATE_LINUX_FILE = "MIGRATE_LINUX_FILE"
    MIGRATE_LINUX_BLOCK = "MIGRATE_LINUX_BLOCK"
    MIGRATE_WINDOWS_BLOCK = "MIGRATE_WINDOWS_BLOCK"
    CLONE_VM = "CLONE_VM"
    SYNC_LINUX_FILE = "SYNC_LINUX_FILE"
    SYNC_LINUX_BLOCK = "SYNC_LINUX_BLOCK"
    SYNC_WINDOWS_BLOCK = "SYNC_WINDOWS_BLOCK"
    CONFIGURE_LINUX = "CONFIGURE_LINUX"
    CONFIGURE_LINUX_BLOCK = "CONFIGURE_LINUX_BLOCK"
    CONFIGURE_LINUX_FILE = "CONFIGURE_LINUX_FILE"
    CONFIGURE_WINDOWS = "CONFIGURE_WINDOWS"
    CHECK_CONSISTENCY = "CHECK_CONSISTENCY"


class CloneState(StrEnum):
    """`clone_state` of a task's clone."""

    NOT_READY = "NOT_READY"
    READY = "READY"
    PREPARING = "PREPARING"
    CREATING = "CREATING"
    ERROR = "ERROR"
    FINISHED = "FINISHED"


class LogCollectStatus(StrEnum):
    """`log_collect_status` of a task."""

    INIT = "INIT"
    UPLOADING = "UPLOADING"
    UPLOAD_FAIL = "UPLOAD_FAIL"
    UPLOADED = "UPLOADED"


class CheckResult(StrEnum):
    """`result` of an environment check."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"


class CheckName(StrEnum):
    """Names of environment checks, as old and new services show them."""

    OS_VERSION = "OS_VERSION"
    FIRMWARE = "FIRMWARE"
    CPU = "CPU"
    MEMORY = "MEMORY"
    SYSTEM_ROOT = "SYSTEM_ROOT"
    PARTITION_STYLE = "PARTITION_STYLE"
    FILE_SYSTEM = "FILE_SYSTEM"
    FREE_SPACE = "FREE_SPACE"
    OEM_SYSTEM = "OEM_SYSTEM"
    DRIVER_FILE = "DRIVER_FILE"
    SERVICE = "SERVICE"
    ACCOUNT_RIGHTS = "ACCOUNT_RIGHTS"
    PARAVIRTUALIZATION = "PARAVIRTUALIZATION"
    BOOT_LOADER = "BOOT_LOADER"
    RSYNC = "RSYNC"
    RAW_DEVICES = "RAW_DEVICES"
    DISK_INFO = "DISK_INFO"
    NETWORK = "NETWORK"
    AGENT_VERSION = "AGENT_VERSION"


class VolumeType(StrEnum):
    """`volumetype` in template answers."""

    SAS = "SAS"
    SSD = "SSD"
    SATA = "SATA"


class ConfigKey(StrEnum):
    """`config_key` of the configuration settings. The agent interprets the values."""

    MIGRATE_EXCLUDE_DIR = "MIGRATE_EXCLUDE_DIR"
    SYNC_EXCLUDE_DIR = "SYNC_EXCLUDE_DIR"
    ONLY_SYNC_DIR = "ONLY_SYNC_DIR"
    CONSISTENCY_DIR = "CONSISTENCY_DIR"
    CONSISTENCY_DIR_ILLEGAL = "CONSISTENCY_DIR_ILLEGAL"
    COMPRESS_THREADS = "LINUX_BLOCK_COMPRESS_THREAD_NUM"
    MIGRATE_DST_IP = "MIGRATE_DST_IP"
    CACHE_SIZE = "LINUX_BLOCK_CACHE_SIZE"
    CPU_LIMIT = "LINUX_CPU_LIMIT"
    MEMORY_LIMIT = "LINUX_MEM_LIMIT"
    IO_LIMIT = "LINUX_IO_LIMIT"
    MIGRATE_PROCESSES = "NUM_PROCESS_MIGRATE"
    SYNC_PROCESSES = "NUM_PROCESS_SYNC"
    CONSISTENCY_RECHECK = "CONSISTENCY_RECHECK"
    CONSISTENCY_MODE = "CONSISTENCY_MODE"
    DYNAMIC_PORT = "DYNAMIC_PORT"


class JoinRole(StrEnum):
    """What a join token lets its bearer become."""

    AGENT = "agent"
    RECEIVER = "receiver"


class ReplicationPhase(StrEnum):
    """Where an agent is in its work on a task."""

    CONNECTING = "connecting"
    COPYING = "copying"
    SYNCING = "syncing"
    FREEZING = "freezing"
    PROVING = "proving"
    LANDING = "landing"
    DONE = "done"


class ProofSide(StrEnum):
    """Whose half of a proof it is."""

    SOURCE = "source"
    RECEIVER = "receiver"


class OrderKind(StrEnum):
    """What a receiver is told to do with a landed system. Wherry's own, as all below.

    `land`: make the checkpoint of the cutover boot, rehearse it, make the target of it. `drill`: the same before the
    migration, without a target. `rehearse`: one that a user asked for. `clear`: remove what was kept for a roll back.
    `record`: tell what a launched target shows.
    """

    LAND = "land"
    LAUNCH = "launch"
    ROLL_BACK = "roll_back"
    CLEAR = "clear"
    DRILL = "drill"
    REHEARSE = "rehearse"
    CLONE = "clone"
    RECORD = "record"


class OrderStage(StrEnum):
    """How far a receiver is with an order. `waiting`: for a consistent checkpoint."""

    ORDERED = "ordered"
    WAITING = "waiting"
    PREPARING = "preparing"
    REHEARSING = "rehearsing"
    LAUNCHING = "launching"
    DONE = "done"
    NOTHING_TO_BOOT = "nothing_to_boot"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class LandingState(StrEnum):
    """What became of a task's landed system. `not_booted`: delivered as disks, by a receiver that boots nothing."""

    NONE = "none"
    NOT_BOOTED = "not_booted"
    ORDERED = "ordered"
    PREPARING = "preparing"
    REHEARSING = "rehearsing"
    PASSED = "passed"
    FAILED = "failed"
    NOTHING_TO_BOOT = "nothing_to_boot"
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    LAUNCH_FAILED = "launch_failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ROLL_BACK_FAILED = "roll_back_failed"
    WITHDRAWN = "withdrawn"


class LandingOutcome(StrEnum):
    """What a landing means for who waits for it."""

    WAIT = "wait"
    SUCCESS = "success"
    FAILURE = "failure"


class LandingAction(StrEnum):
    """What a user may do with a landed system beside the task's actions."""

    LAUNCH = "launch"
    ROLL_BACK = "roll_back"


class Verdict(StrEnum):
    """What a rehearsal came to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class DiskBus(StrEnum):
    """By what the disks of a target machine are attached, and so which driver the initramfs must have."""

    VIRTIO_BLK = "virtio-blk"
    VIRTIO_SCSI = "virtio-scsi"
    SATA = "sata"
    NVME = "nvme"


class NicModel(StrEnum):
    """The network card of a target machine, and so its driver and its predictable name."""

    VIRTIO = "virtio-net"
    E1000E = "e1000e"


class NetworkWish(StrEnum):
    """How the target gets its addresses: anew, or as they are configured on the source."""

    DHCP = "dhcp"
    KEEP = "keep"


# Clients send empty texts where they know nothing, so these fields take the enumeration's words and "".
FirmwareText = Literal["BIOS", "UEFI", ""]
BootLoaderText = Literal["GRUB", "LILO", ""]
PartitionStyleText = Literal["MBR", "GPT", ""]
TargetDeviceUseText = Literal["NORMAL", "OS", "BOOT", ""]
PlatformText = Literal["hw", "ali", "aws", "azure", "gcp", "tencent", "vmware", "hyperv", "other", "default", ""]
CycleText = Literal["checking", "setting", "replicating", "syncing", "cutovering", "cutovered", ""]
OsTypeText = Literal["WINDOWS", "LINUX", ""]
YesNoText = Literal["true", "false"]
