"""What is asked of CreateTask for one source: from the disks that it recommends and a few wishes."""

import re
from dataclasses import dataclass
from typing import Final

from wherry.contract.enumerations import TaskType
from wherry.contract.iam import Project
from wherry.contract.sources import SourceDetail
from wherry.contract.storage import WantedDisk
from wherry.contract.tasks import SourceReference, TaskCreation, WantedTarget

PLACEHOLDER: Final = "00000000-0000-0000-0000-000000000000"
"""The id of a target that its receiver makes: it has none yet."""

_REFUSED_SIGNS: Final = re.compile(r"[^A-Za-z0-9_\-\u4e00-\u9fa5]")
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class TaskWish:
    """How a source is to be moved.

    Attributes:
        name: of the task; made of the source's where it's empty.
        target: id of a server that exists already; empty where the receiver or a template makes it.
        target_name: of the server; the source's where it's empty.
        template_id: of the server that is to be made, where there's no *target*.
        speed_limit: in Mbit/s, 0 for none.
    """

    name: str = ""
    target: str = ""
    target_name: str = ""
    template_id: str = ""
    sync: bool = True
    launch: bool = True
    drill: bool = False
    check_consistency: bool = False
    speed_limit: int = 0


def wanted_task(source: SourceDetail, project: Project, wish: TaskWish) -> TaskCreation:
    """Return the body of CreateTask; *project*: where the task is kept."""
    by_template = bool(wish.template_id)
    return TaskCreation(
        name=wish.name or usual_name(source.name),
        type=TaskType.MIGRATE_BLOCK,
        os_type=source.os_type,
        region_name=project.name,
        region_id=project.name,
        project_name=project.name,
        project_id=project.id,
        source_server=SourceReference(id=source.id),
        target_server=WantedTarget(
            name=wish.target_name or source.name,
            vm_id=None if by_template else wish.target or PLACEHOLDER,
            disks=_disks(source),
        ),
        exist_server=not by_template,
        vm_template_id=wish.template_id or None,
        start_target_server=wish.launch,
        syncing=wish.sync,
        speed_limit=wish.speed_limit,
        need_migration_test=wish.drill,
        is_need_consistency_check=wish.check_consistency,
    )


def usual_name(source_name: str) -> str:
    """Return what the task of a source is called where nobody says."""
    return _REFUSED_SIGNS.sub("-", f"move-{source_name}")[:_LONGEST_NAME]


def _disks(source: SourceDetail) -> list[WantedDisk]:
    """Return a target disk for each of the source's that is moved, as large as was chosen."""
    recommended = source.init_target_server.disks if source.init_target_server else []
    return [
        WantedDisk(
            name=disk.name,
            disk_id=str(number),
            device_use=disk.device_use,
            size=max(disk.size or 0, disk.adjust_size or 0),
            used_size=disk.used_size,
        )
        for number, disk in enumerate(recommended)
        if disk.need_migration is not False
    ]
