"""`wherry landing`: what becomes of a landed system."""

from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.fleet import ANY_TASK, TaskFilter, find_task, find_tasks, task_name
from wherry.cli.output import Column, facts, moment, show, table
from wherry.contract.enumerations import DiskBus, Firmware, LandingOutcome, NetworkWish, NicModel
from wherry.contract.landing import Landing, OrderSummary, TargetMachine, TargetMachineWish
from wherry.errors import ExitStatus

app = App(name="landing")

_ORDERS: Final = (
    Column[OrderSummary]("order", lambda each: each.kind.value),
    Column[OrderSummary]("stage", lambda each: each.stage.value),
    Column[OrderSummary]("done", lambda each: f"{each.progress} %", numeric=True),
    Column[OrderSummary]("ordered", lambda each: moment(each.ordered_at)),
    Column[OrderSummary]("note", lambda each: each.note),
)


@app.command(name="show")
def show_landing(task: str, /, *, asking: Asking = USUAL) -> int:
    """Show what became of a task's landed system. Exit status 1: it failed.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_landing(find_task(plane, task).id)
    show(found, _described(found), table(_ORDERS, found.orders), json=asking.json)
    return ExitStatus.NOT_SO if found.outcome is LandingOutcome.FAILURE else ExitStatus.DONE


@app.command
def launch(task: str, /, *tasks: str, wanted: TaskFilter = ANY_TASK, asking: Asking = USUAL) -> int:
    """Have landed systems started.

    Parameters
    ----------
    task:
        Id, name, or pattern such as 'web-*', of a task or of its source.
    tasks:
        More of them.
    """
    with asking.connect() as plane:
        found = find_tasks(plane, (task, *tasks), wanted)
        outcomes = do_each(found, lambda each: plane.launch_target(each.id), task_name)
    return tell(outcomes, json=asking.json)


@app.command
def roll_back(
    task: str, /, *tasks: str, yes: Yes = False, wanted: TaskFilter = ANY_TASK, asking: Asking = USUAL
) -> int:
    """Have launched targets stopped and put back to what had landed: what they wrote since is lost.

    Parameters
    ----------
    task:
        Id, name, or pattern such as 'web-*', of a task or of its source.
    tasks:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_tasks(plane, (task, *tasks), wanted)
        confirm("Rolling back", [task_name(each)[1] for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.roll_back_target(each.id), task_name)
    return tell(outcomes, json=asking.json)


@app.command
def machine(task: str, /, *, asking: Asking = USUAL) -> None:
    """Show the machine that a task's landed system is made to run on.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    """
    with asking.connect() as plane:
        found = plane.show_target_machine(find_task(plane, task).id)
    show(found, _machine(found), json=asking.json)


@app.command
def wish(
    task: str,
    /,
    *,
    firmware: Firmware | None = None,
    vcpus: Annotated[int | None, Parameter(validator=Number(gte=1, lte=1024))] = None,
    memory_mb: Annotated[int | None, Parameter(validator=Number(gte=64, lte=16 << 20))] = None,
    disk_bus: DiskBus | None = None,
    nic_model: NicModel | None = None,
    mac: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    network: NetworkWish | None = None,
    asking: Asking = USUAL,
) -> None:
    """Say what the target machine of a task shall be, in place of earlier wishes. What isn't given is recommended.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    firmware:
        What starts its boot loader.
    vcpus:
        Number of its processors.
    memory_mb:
        Its memory in MiB.
    disk_bus:
        How its disks are attached.
    nic_model:
        Kind of its network cards.
    mac:
        MAC address of a network card; may be given many times.
    network:
        Whether it gets its addresses by DHCP, or keeps those of the source.
    """
    wished = TargetMachineWish(
        firmware=firmware,
        vcpus=vcpus,
        memory_mb=memory_mb,
        disk_bus=disk_bus,
        nic_model=nic_model,
        macs=list(mac) or None,
        network=network,
    )
    with asking.connect() as plane:
        task_id = find_task(plane, task).id
        plane.update_target_machine(task_id, wished)
        found = plane.show_target_machine(task_id)
    show(found, _machine(found), json=asking.json)


def _described(landing: Landing) -> Table:
    error = landing.error
    return facts(
        ("state", landing.state.value),
        ("outcome", landing.outcome.value),
        ("ordered", landing.kind),
        ("progress", f"{landing.progress} %" if landing.order_id else None),
        ("checkpoint", landing.checkpoint),
        ("server", landing.server_id),
        ("boots here", landing.boots),
        ("note", landing.note),
        ("changed", moment(landing.changed_at)),
        ("error", None if error is None else f"{error.code}: {error.message}"),
        ("cause", None if error is None else error.cause),
        ("fix", None if error is None else error.fix),
    )


def _machine(found: TargetMachine) -> Table:
    return facts(
        ("firmware", found.firmware.value),
        ("processors", found.vcpus),
        ("memory", f"{found.memory_mb} MiB"),
        ("disks by", found.disk_bus.value),
        ("cards", found.nic_model.value),
        ("MAC addresses", ", ".join(found.macs)),
        ("network", found.network.value),
    )
