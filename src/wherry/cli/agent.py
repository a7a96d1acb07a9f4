"""`wherry agent`: the program on the source server. `wherry agent doctor` tells what tracking can do there."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.agent.main import run_agent
from wherry.agent.settings import MAX_FREEZE_S, SYNC_INTERVAL_S, AgentSettings
from wherry.cli.diagnosis import as_json, as_text, tracked
from wherry.cli.joining import Joining
from wherry.cli.program import run_until_signalled
from wherry.disks.inventory import local_disks
from wherry.disks.tracking.doctor import examine

app = App(name="agent")


@app.default
def agent(
    *,
    membership: Joining,
    disk: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = (),
    max_freeze: Annotated[float, Parameter(validator=Number(gt=0, lte=3600))] = MAX_FREEZE_S,
    frozen_hook: Annotated[str, Parameter(show_default=False)] = "",
    sync_interval: Annotated[float, Parameter(validator=Number(gte=0, lte=86400))] = SYNC_INTERVAL_S,
) -> None:
    """Run the agent on the server that is to be moved.

    Parameters
    ----------
    disk:
        Block device or image file to move; may be given many times. Without it, every disk of the server.
    max_freeze:
        Longest time in seconds that the filesystems may stay frozen at the cutover.
    frozen_hook:
        Command run between the last commit and the thaw, for a storage snapshot. Keep secrets out of it.
    sync_interval:
        Pause in seconds between two passes while the task is synchronising.
    """
    settings = AgentSettings(
        membership=membership,
        disks=disk,
        max_freeze_s=max_freeze,
        frozen_hook=frozen_hook,
        sync_interval_s=sync_interval,
    )
    run_until_signalled(lambda stop: run_agent(settings, stop))


@app.command
def doctor(
    *,
    disk: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = (),
    listen: Annotated[float, Parameter(validator=Number(gte=0, lte=3600))] = 0.0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell which ways of tracking changed blocks work on this server, and why the others don't.

    Exit status 0: the changes of every disk can be tracked. 1: they can't, so that passes read all that is in use.
    Run it as root.

    Parameters
    ----------
    disk:
        Block device to look at; may be given many times. Without it, every disk of the server.
    listen:
        Seconds to watch each disk, to see whether each channel misses nothing.
    json:
        Print one JSON document instead of text.
    """
    diagnosis = examine(disk or local_disks(), listen)
    print(as_json(diagnosis) if json else as_text(diagnosis))
    return 0 if tracked(diagnosis) else 1
