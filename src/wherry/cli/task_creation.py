"""What `wherry task create` asks of the control plane for one source."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from wherry.contract.enumerations import TaskType
from wherry.contract.iam import Project
from wherry.contract.sources import SourceDetail
from wherry.contract.storage import WantedDisk
from wherry.contract.tasks import SourceReference, TaskCreation, WantedTarget

PLACEHOLDER: Final = "00000000-0000-0000-0000-000000000000"
"""The id of a target that its receiver makes: it has none yet."""
_REFUSED_SIGNS: Final = re.compile(r"[^A-Za-z0-9_\-\u4e00-\u9fa5]")
_LONGEST_NAME: Final = 64


@Parameter(name="*")
@dataclass(frozen=True)
class Wish:
    """How servers are to be moved."""

    sync: bool = True
    """Keep the copy in sync until the cutover is ordered; --no-sync cuts over after the first copy."""

    launch: bool = True
    """Start the target after the cutover."""

    drill: Annotated[bool, Parameter(negative="")] = False
    """Allow a drill (`wherry task drill`) before the migration."""

    speed_limit: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 0
    """Most Mbit/s that each task may send; 0 for no limit."""

    check_consistency: Annotated[bool, Parameter(negative="")] = False
    """Compare files too, besides the proof of the blocks."""


def creation(
    source: SourceDetail, project: Project, wish: Wish, *, name: str = "", target: str = "", template_id: str = ""
) -> TaskCreation:
    """Return the body of CreateTask.

    Args:
        source: what is moved.
        project: where the task is kept.
        wish: how.
        name: of the task; by default made of the source's.
        target: id of a server that exists already; empty where the receiver makes it.
        template_id: of the server that is to be made, where there's no *target*.
    """
    return TaskCreation(
        name=name or usual_name(source.name),
        type=TaskType.MIGRATE_BLOCK,
        os_type=source.os_type,
        region_name=project.name,
        region_id=project.name,
        project_name=project.name,
        project_id=project.id,
        source_server=SourceReference(id=source.id),
        target_server=WantedTarget(
            name=source.name, vm_id=None if template_id else target or PLACEHOLDER, disks=_disks(source)
        ),
        exist_server=not template_id,
        vm_template_id=template_id or None,
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
