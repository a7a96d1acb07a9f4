"""Migration projects: the drawers that sources lie in. Speeds in Mbit/s."""

from msgspec import field

from wherry.contract.enumerations import TaskType
from wherry.contract.values import Limit100, MigprojectName, Offset, ShortText, SpeedMbit, Text, Wire


class MigprojectCreation(Wire, frozen=True, kw_only=True):
    """Body of CreateMigproject."""

    name: MigprojectName
    region: ShortText
    type: TaskType
    description: Text | None = None
    is_default: bool | None = field(name="isdefault", default=None)
    start_target_server: bool | None = None
    speed_limit: SpeedMbit | None = None
    use_public_ip: bool | None = None
    exist_server: bool | None = None
    enterprise_project: Text | None = None
    syncing: bool | None = None
    start_network_check: bool | None = None


class MigprojectUpdate(Wire, frozen=True, kw_only=True):
    """Body of UpdateMigproject."""

    name: MigprojectName | None = None
    description: Text | None = None
    is_default: bool | None = field(name="isdefault", default=None)
    region: Text | None = None
    start_target_server: bool | None = None
    speed_limit: SpeedMbit | None = None
    use_public_ip: bool | None = None
    exist_server: bool | None = None
    type: TaskType | None = None
    enterprise_project: Text | None = None
    syncing: bool | None = None
    start_network_check: bool | None = None


class MigprojectDetail(Wire, frozen=True, kw_only=True):
    """Answer of ShowMigproject; the newest definition leaves the id out."""

    name: str
    description: str | None = None
    is_default: bool | None = field(name="isdefault", default=None)
    region: str | None = None
    start_target_server: bool | None = None
    speed_limit: int | None = None
    use_public_ip: bool | None = None
    exist_server: bool | None = None
    type: str | None = None
    enterprise_project: str | None = None
    syncing: bool | None = None
    start_network_check: bool | None = None


class MigprojectSummary(MigprojectDetail, frozen=True, kw_only=True):
    """An item of ListMigprojects."""

    id: str


class MigprojectList(Wire, frozen=True, kw_only=True):
    """Answer of ListMigprojects."""

    count: int
    migprojects: list[MigprojectSummary]


class ListMigprojectsQuery(Wire, frozen=True, kw_only=True):
    """Query of ListMigprojects."""

    limit: Limit100 | None = None
    offset: Offset | None = None


SYSTEM_PROJECT = "SystemProject"
"""The name of the project that exists from the start and is the default."""

MAX_PROJECTS = 50
"""Migration projects that an account may have."""
