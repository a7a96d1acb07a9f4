"""`wherry agent`: the program on the source server. `wherry agent doctor` tells what tracking can do there."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.agent.hooks import HOOK_LIMIT_S, HookSettings
from wherry.agent.main import run_agent
from wherry.agent.settings import MAX_FREEZE_S, MEMORY_MIB, SYNC_INTERVAL_S, USUAL_SENDING, AgentSettings
from wherry.cli.diagnosis import as_json, as_text
from wherry.cli.joining import Joining
from wherry.cli.program import run_until_signalled
from wherry.disks.inventory import local_disks
from wherry.disks.tracking.doctor import examine
from wherry.replication.sending import SendOptions

app = App(name="agent")


@app.default
def agent(
    *,
    membership: Joining,
    disk: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = (),
    max_freeze: Annotated[float, Parameter(validator=Number(gt=0, lte=3600))] = MAX_FREEZE_S,
    freeze_attempts: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 0,
    before_freeze: Annotated[str, Parameter(show_default=False)] = "",
    frozen_hook: Annotated[str, Parameter(show_default=False)] = "",
    after_thaw: Annotated[str, Parameter(show_default=False)] = "",
    hook_timeout: Annotated[float, Parameter(validator=Number(gt=0, lte=3600))] = HOOK_LIMIT_S,
    sync_interval: Annotated[float, Parameter(validator=Number(gte=0, lte=86400))] = SYNC_INTERVAL_S,
    memory: Annotated[int, Parameter(validator=Number(gte=16, lte=65536))] = MEMORY_MIB,
    connections: Annotated[
        int, Parameter(validator=Number(gte=1, lte=16), show_default=False)
    ] = USUAL_SENDING.connections,
    max_added_latency: Annotated[float, Parameter(validator=Number(gte=0, lte=10000))] = 0.0,
) -> None:
    """Run the agent on the server that is to be moved.

    Parameters
    ----------
    disk:
        Block device or image file to move; may be given many times. Without it, every disk of the server.
    max_freeze:
        Longest time in seconds that the filesystems may stay frozen at the cutover.
    freeze_attempts:
        After how many freezes that didn't fit the task fails. 0: never; it goes on synchronising, says why, and tries
        again.
    before_freeze:
        Command run before each freeze, for a database that has to write down what it holds; its failure cancels the
        freeze. Words as in a shell, but no shell is used. Keep secrets out of it.
    frozen_hook:
        Command run between the last commit and the thaw, for a storage snapshot. Its time counts as frozen time.
    after_thaw:
        Command run after each thaw, also when the freeze was given up or the agent was killed meanwhile.
    hook_timeout:
        Longest time in seconds that the commands before the freeze and after the thaw may take.
    sync_interval:
        Pause in seconds between two passes while the task is synchronising.
    memory:
        Most MiB that what's under way between the disks and the receiver may take.
    connections:
        How many connections to the receiver to use; each keeps up to one processor busy. By default half the
        processors, 4 at most.
    max_added_latency:
        By how many milliseconds reading may slow down a write of this server, in the mean; 0 for no such limit.
    """
    settings = AgentSettings(
        membership=membership,
        disks=disk,
        max_freeze_s=max_freeze,
        freeze_attempts=freeze_attempts,
        hooks=HookSettings(before_freeze, frozen_hook, after_thaw, hook_timeout),
        sync_interval_s=sync_interval,
        sending=SendOptions(memory=memory << 20, connections=connections),
        max_added_latency_ms=max_added_latency,
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
    return 0 if diagnosis.works else 1
