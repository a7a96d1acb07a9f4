"""`wherry replica`: what an operator does to a task's replica on the receiver's host."""

import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from wherry.cli.errors import FileUnreadable, TaskUnreadable
from wherry.client.control_plane import ControlPlane
from wherry.client.state_folder import private_folder
from wherry.contract.installation import read_admin_file
from wherry.receiver.adoption import adopt_disks, check_sizes

app = App(name="replica")

PIPE_STEP = 10
"""Per cent between two words about the progress where they don't go to a terminal."""


@app.command
def adopt(
    task_id: str,
    disks: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    images: Path,
    in_place: Annotated[bool, Parameter(negative="")] = False,
    admin_file: Path | None = None,
) -> None:
    """Take disks that are there already as a task's replica, so that only what differs is sent to them.

    The disks of the old server, to fail back to them, or copies that came another way. They are read once. It may be
    broken off and repeated. Run it on the receiver's host before the task is started; the receiver may run.

    Parameters
    ----------
    task_id:
        The task whose disks they become.
    disks:
        Block devices or raw image files, in the order of the task's disks, each at least as large. WHAT DIFFERS ON THEM
        WILL BE OVERWRITTEN. Nothing on them may be mounted.
    images:
        The --images of the receiver. The task's book-keeping goes there, and a log of what differs.
    in_place:
        Write the first pass straight to the disks: no room is needed for it in --images, but until it's committed they
        are neither what they were nor what they become.
    admin_file:
        The admin.json of the control plane, to check number and sizes of the disks now. Without it they are checked
        when the agent connects.
    """
    task_id = _task_id(task_id)
    if admin_file is not None:
        check_sizes(task_id, _moved(admin_file, task_id), disks)
    adoption = adopt_disks(private_folder(images), task_id, disks, in_place=in_place, progress=_shown())
    if adoption.begun:
        print("A source has begun to send to these disks already; nothing was read.")
    for disk in adoption.disks:
        print(f"disk {disk.index}: {disk.path}, {disk.size:,} bytes")


def _task_id(text: str) -> str:
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise TaskUnreadable(text=text) from error
    return text


def _moved(admin_file: Path, task_id: str) -> list[tuple[str, int]]:
    """Ask the control plane which disks the task moves: name and bytes of each."""
    try:
        admin = read_admin_file(admin_file)
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=admin_file, what="an admin file", reason=str(error)) from error
    ca_file = Path(admin.ca_file) if admin.ca_file else None
    with ControlPlane(admin.endpoint, admin.access_key, admin.secret_key, ca_file) as plane:
        reference = plane.show_task(task_id).source_server
        disks = () if reference is None else plane.show_server(reference.id).disks or ()
    return [(disk.name or "", disk.size or 0) for disk in disks if disk.need_migration is not False]


def _shown() -> Callable[[int, int], None]:
    """Return what shows on standard error how far the reading is."""
    step, ends, said = (1, "\r", 0) if sys.stderr.isatty() else (PIPE_STEP, "\n", 0)

    def show(done: int, total: int) -> None:
        nonlocal said
        share = 100 * done // total
        if share >= said + step or done == total:
            said = share
            end = "\n" if done == total else ends
            print(f"{share:3} % of {total:,} bytes read", end=end, file=sys.stderr, flush=True)

    return show
