"""`wherry proof`: signed proofs that a copy is equal. `wherry verify` checks one against disks."""

from pathlib import Path
from typing import Final

from cyclopts import App

from wherry.cli.asking import USUAL, Asking
from wherry.cli.errors import FileUnwritable
from wherry.cli.fleet import find_task
from wherry.cli.output import Column, as_json, facts, moment, show, size, table
from wherry.contract.wherry import DiskRoot
from wherry.durable import write_file

app = App(name="proof")

_DISKS: Final = (
    Column[DiskRoot]("disk", lambda each: each.name),
    Column[DiskRoot]("size", lambda each: size(each.size), numeric=True),
    Column[DiskRoot](
        "proven", lambda each: size(sum(count for _, count in each.covered) * each.granule_size), numeric=True
    ),
    Column[DiskRoot]("root", lambda each: each.root),
)


@app.command(name="show")
def show_proof(task: str, /, *, checkpoint: int | None = None, asking: Asking = USUAL) -> None:
    """Show the proof of a task's copy.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    checkpoint:
        Number of the checkpoint; the newest one that's proven without it.
    """
    with asking.connect() as plane:
        found = plane.show_proof(find_task(plane, task).id, checkpoint)
    shown = facts(
        ("source", found.source_name),
        ("task", found.task_id),
        ("checkpoint", found.checkpoint),
        ("taken", moment(found.taken_at)),
        ("signed", moment(found.signed_at)),
        ("by key", found.key_id),
    )
    show(found, shown, table(_DISKS, found.disks), json=asking.json)


@app.command
def save(task: str, file: Path, /, *, checkpoint: int | None = None, asking: Asking = USUAL) -> None:
    """Write the proof of a task's copy into a file, for `wherry verify`.

    Parameters
    ----------
    task:
        Its id or name, or those of its source.
    file:
        File to write.
    checkpoint:
        Number of the checkpoint; the newest one that's proven without it.
    """
    with asking.connect() as plane:
        found = plane.show_proof(find_task(plane, task).id, checkpoint)
    try:
        write_file(file, as_json(found).encode())
    except OSError as error:
        raise FileUnwritable(path=file, reason=error.strerror or str(error)) from error
