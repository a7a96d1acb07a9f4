"""The agent's life: join, register, go on with what was begun, poll until it's told to stop."""

import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog

from wherry import logs
from wherry.agent.channel import Channel
from wherry.agent.commands import Errands, PollLoop
from wherry.agent.cutover import CutoverSettings
from wherry.agent.decisions import Answer, Deed
from wherry.agent.desks import Control
from wherry.agent.drill import Drill
from wherry.agent.errors import StopTimedOut
from wherry.agent.failed_units import read_failed_units
from wherry.agent.figures import FiguresBook, forget_figures, tables_folder
from wherry.agent.hooks import Hooks
from wherry.agent.host import gather
from wherry.agent.inventory import chosen, in_order, key_of, read_inventory
from wherry.agent.log_upload import KEPT_CHARACTERS, LogUpload
from wherry.agent.migration import Signals, Work, WorkSettings
from wherry.agent.network_probe import NetworkProbe
from wherry.agent.plane import Plane
from wherry.agent.registration import disk_info, registration
from wherry.agent.rota import Rota
from wherry.agent.settings import AgentSettings
from wherry.agent.survey import OpenDisks, lines
from wherry.agent.tracking import Keeper, sweep_tracking
from wherry.agent.worker import Worker
from wherry.client.membership import Member, joined
from wherry.client.patience import Patience, Steadfast, Stopped
from wherry.contract.enumerations import CommandName, CommandResult, JoinRole, MigrationCycle, SourceState, Subtask
from wherry.contract.tasks import TaskProgress
from wherry.disks.freezenote import FreezeNote
from wherry.disks.freezing import Freeze
from wherry.disks.layout import DiskLayout
from wherry.disks.sysblock import kernel_name
from wherry.disks.tracking.remains import volatile_folder
from wherry.errors import WherryError
from wherry.replication.guarding import LatencyGuard
from wherry.replication.messages import DiskLine
from wherry.replication.sending import SourceTables

log = structlog.get_logger(__name__)

RETRY_REFRESH_S = 120.0
"""When the disks are looked at again after it failed, in seconds."""


def run_agent(settings: AgentSettings, stop: threading.Event | None = None) -> None:
    """Be the agent until *stop* is set. Raises WherryError when it can't begin or may not go on."""
    # A server whose own root is frozen can't write compiled modules; one that tried would hang until the thaw.
    sys.dont_write_bytecode = True
    stop = threading.Event() if stop is None else stop
    logs.keep(KEPT_CHARACTERS)
    # Before anything is written, be it a line of the log: that may lie on what is frozen.
    thawed = freeze_note(settings.membership.state).make_good()
    if thawed:
        log.warning("left_frozen", mount_points=thawed, consequence="they were thawed now")
    swept = sweep_tracking()
    if swept:
        log.info("tracking_swept", tasks=swept, reason="their agents are gone for good")
    with joined(settings.membership, JoinRole.AGENT, stop) as member:
        control = Plane(member.control_plane)
        try:
            source_id = _register(settings, control, member, Steadfast(stop, Patience()))
        except Stopped:
            return
        _hooks(settings).make_good()
        about = {"agent_version": version("wherry"), "host": socket.gethostname(), "source_id": source_id}
        errands: Errands = {
            Deed.UPLOAD_LOG: LogUpload(control, about, [member.identity.secret_key]),
            Deed.CHECK_NETWORK: NetworkProbe(control),
        }
        _live(settings, control, source_id, errands, stop)


def _register(settings: AgentSettings, control: Control, member: Member, sure: Steadfast) -> str:
    known = member.identity.source_id
    body = registration(
        gather(),
        read_inventory(settings.disks),
        name=settings.membership.name,
        agent_version=version("wherry"),
        source_id=known,
    )
    source_id = sure(lambda: control.register(body))
    if source_id != known:
        member.identity_file.store(member.identity.registered_as(source_id))
    log.info("registered", source_id=source_id, name=body.name, disks=[disk.name for disk in body.disks or ()])
    return source_id


def _live(settings: AgentSettings, control: Control, source_id: str, errands: Errands, stop: threading.Event) -> None:
    worker = Worker(
        lambda task_id, signals, *, drill: _work(settings, control, source_id, task_id, signals, drill=drill),
        lambda task_id, error, *, drill: _refuse(
            control, source_id, task_id, error, Steadfast(stop, Patience()), drill=drill
        ),
    )
    loop = PollLoop(
        control=control,
        source_id=source_id,
        worker=worker,
        errands=errands,
        forget=lambda task_id: _forget(settings, task_id),
        give_up=lambda task_id: _give_up(settings, task_id),
        refresh=_refresher(settings, control, source_id),
        stop=stop,
        poll_wait_s=settings.poll_wait_s,
        patience=Patience(),
    )
    failures: list[Exception] = []
    thread = threading.Thread(target=_poll, args=(loop, failures, stop), name="poll", daemon=True)
    thread.start()
    stop.wait()
    try:
        worker.stop()
    except StopTimedOut as error:
        log.warning("stop_timed_out", **error.facts)
    log.info("ended")
    if failures:
        raise failures[0]


def _poll(loop: PollLoop, failures: list[Exception], stop: threading.Event) -> None:
    """Run the loop; an end that nobody asked for ends the agent, with its reason."""
    try:
        loop.run()
    except Exception as error:
        # The outermost loop of the thread: the main thread raises it again.
        log.exception("poll_loop_ended")
        failures.append(error)
    finally:
        stop.set()


def _work(
    settings: AgentSettings, control: Control, source_id: str, task_id: str, signals: Signals, *, drill: bool
) -> Work:
    kind = Drill if drill else Work
    book = FiguresBook(settings.membership.state, task_id)
    sure = Steadfast(signals.stop, Patience())
    if sure(lambda: control.task(task_id)).wants_network_check:
        sure(lambda: NetworkProbe(control)(task_id))
    record = sure(lambda: control.source(source_id))
    inventory = read_inventory(settings.disks)
    _tell_disks(control, source_id, inventory)
    layouts = in_order(chosen(inventory, record), book.disks)
    disks = OpenDisks(layouts)
    book.note_disks([key_of(layout) for layout in layouts])
    return kind(
        task_id=task_id,
        source_id=source_id,
        control=control,
        disks=disks,
        tracking=Keeper(settings.membership.state).track(task_id, disks.disks, disks.tracked),
        book=book,
        signals=signals,
        settings=WorkSettings(
            sync_interval_s=settings.sync_interval_s,
            cutover=CutoverSettings(settings.max_freeze_s, settings.freeze_attempts, settings.sync_interval_s),
        ),
        hooks=_hooks(settings),
        guard=_guard(settings, disks),
        failed_units=read_failed_units,
        make_freeze=partial(Freeze, note=freeze_note(settings.membership.state)),
        open_channel=lambda sure, report: Channel(
            control,
            sure,
            report,
            signals.stop,
            task_id=task_id,
            source_id=source_id,
            lines=lines(disks),
            tables=_tables(settings, task_id, lines(disks)),
            options=settings.sending,
        ),
    )


def freeze_note(state: Path) -> FreezeNote:
    """Return where the agent with the state folder *state* notes what it freezes."""
    mark = hashlib.sha256(os.fsencode(state.absolute())).hexdigest()[:16]
    return FreezeNote(volatile_folder() / f"frozen-{mark}.json")


def _hooks(settings: AgentSettings) -> Hooks:
    return Hooks(settings.hooks, settings.membership.state)


def _guard(settings: AgentSettings, disks: OpenDisks) -> LatencyGuard | None:
    """Return what looks after the server's own writes; None where it isn't wanted, or there's no disk to look at."""
    if not settings.max_added_latency_ms or not disks.tracked:
        return None
    names = [kernel_name(disk.device_number).replace("/", "!") for disk in disks.tracked]
    return LatencyGuard(names, settings.max_added_latency_ms)


def _tables(settings: AgentSettings, task_id: str, disks: Sequence[DiskLine]) -> SourceTables | None:
    """Open what earlier agents read of the disks; None where it can't be kept, which costs the next one a scan."""
    try:
        return SourceTables.open(tables_folder(settings.membership.state, task_id), task_id, disks)
    except WherryError as error:
        log.warning("digests_not_kept", **error.facts)
        return None


def _forget(settings: AgentSettings, task_id: str) -> None:
    """Drop what is noted of a task that is gone."""
    Keeper(settings.membership.state).forget(task_id)
    forget_figures(settings.membership.state, task_id)


def _give_up(settings: AgentSettings, task_id: str) -> None:
    """Have the next try of a task that was stopped take a checkpoint of its own."""
    try:
        FiguresBook(settings.membership.state, task_id).give_up()
    except WherryError as error:
        log.warning("checkpoint_not_given_up", **error.facts)


def _refuse(
    control: Control, source_id: str, task_id: str, error: WherryError, sure: Steadfast, *, drill: bool
) -> None:
    """Tell the control plane that the work on a task couldn't even begin, and why."""
    if drill:
        answer = Answer(CommandResult.FAIL, {"msg": error.message, "task_id": task_id, "error_code": error.code})
        sure(lambda: control.answer(source_id, CommandName.PREMIGRATE, answer))
        return
    words = TaskProgress(
        subtask_name=Subtask.SSL_CONFIG,
        progress=0,
        replicate_size=0,
        total_size=0,
        process_trace=error.explain()[:2048],
    )
    sure(lambda: control.report_progress(task_id, words))
    sure(lambda: control.report_state(source_id, SourceState.ERROR.value, MigrationCycle.REPLICATING.value))


def _refresher(settings: AgentSettings, control: Control, source_id: str) -> Callable[[], None]:
    rota = Rota(settings.disk_refresh_s)

    def refresh() -> None:
        if not rota.due():
            return
        try:
            inventory = read_inventory(settings.disks)
        except WherryError as error:
            # A disk that can't be read just now doesn't keep commands from coming.
            log.warning("disks_not_updated", **error.facts)
            rota.postpone(RETRY_REFRESH_S)
            return
        if not _tell_disks(control, source_id, inventory):
            rota.postpone(RETRY_REFRESH_S)

    return refresh


def _tell_disks(control: Control, source_id: str, inventory: Sequence[DiskLayout]) -> bool:
    """Tell the control plane which disks there are; a control plane that is away is no reason not to work."""
    try:
        control.update_disks(source_id, disk_info(inventory))
    except WherryError as error:
        log.warning("disks_not_updated", **error.facts)
        return False
    return True
