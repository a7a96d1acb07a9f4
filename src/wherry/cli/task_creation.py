"""What `wherry task create` asks of the control plane for one source."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from wherry.contract.iam import Project
from wherry.contract.sources import SourceDetail
from wherry.contract.tasks import TaskCreation
from wherry.migration.wanted_task import TaskWish, wanted_task


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
    return wanted_task(
        source,
        project,
        TaskWish(
            name=name,
            target=target,
            template_id=template_id,
            sync=wish.sync,
            launch=wish.launch,
            drill=wish.drill,
            check_consistency=wish.check_consistency,
            speed_limit=wish.speed_limit,
        ),
    )
