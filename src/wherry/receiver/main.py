"""The receiver's life: join, listen, announce itself, serve what it's assigned, until it's told to stop."""

import threading
from collections.abc import Callable
from functools import partial

import structlog

from wherry.client.control_plane import ControlPlane
from wherry.client.membership import joined
from wherry.client.patience import Patience, Steadfast
from wherry.contract.enumerations import JoinRole, ProofSide
from wherry.receiver.admission import Admission
from wherry.receiver.announcing import Announcer, describer
from wherry.receiver.assignments import AssignmentWatch
from wherry.receiver.checkpoints import CheckpointKeeper
from wherry.receiver.conversions import Conversions
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.landing.booting import Booting, Landings
from wherry.receiver.listener import Listener
from wherry.receiver.proofs import Proofs
from wherry.receiver.qcow2 import convert_image, require_converter
from wherry.receiver.replicas import Replicas
from wherry.receiver.sessions import NoLandings, Sessions
from wherry.receiver.settings import DriverKind, ImageFormat, ReceiverSettings

log = structlog.get_logger(__name__)

JOIN_S = 5.0
"""How long the end waits for the connections, in seconds."""
LEAST_SHARE = 4
"""How many connections a task may have at least; a quarter of all where that's more."""
RETRY_CEILING_S = 15.0
"""Longest wait between two tries to reach the control plane, in seconds: agents wait for a receiver that is back."""


def run_receiver(
    settings: ReceiverSettings,
    stop: threading.Event | None = None,
    make_booting: Callable[[ReceiverSettings], Booting] = Booting.by,
) -> None:
    """Be a receiver until *stop* is set; *make_booting* makes the parts of one that boots.

    Raises WherryError when it can't begin.
    """
    stop = threading.Event() if stop is None else stop
    if settings.image_format is ImageFormat.QCOW2 or settings.driver is DriverKind.QEMU:
        require_converter()
    booting = make_booting(settings) if settings.driver is DriverKind.QEMU else None
    if booting is not None:
        # Servers don't wait for a control plane.
        tend = partial(booting.tend, stop)
        threading.Thread(target=_guarded, args=("servers", tend, stop), name="servers", daemon=True).start()
    with joined(settings.membership, JoinRole.RECEIVER, stop) as member:
        _live(settings, member.control_plane, member.identity.receiver_id, stop, booting)


def _live(
    settings: ReceiverSettings,
    client: ControlPlane,
    receiver_id: str,
    stop: threading.Event,
    booting: Booting | None,
) -> None:
    def patient() -> Steadfast:
        return Steadfast(stop, Patience(ceiling_s=RETRY_CEILING_S))

    driver = ImageDriver(settings.images) if booting is None else booting.driver
    replicas = Replicas(driver)
    admission = Admission()
    converts = settings.image_format is ImageFormat.QCOW2
    landings: Landings | NoLandings = NoLandings()
    if booting is not None:
        landings = booting.landings(
            replicas, lambda order_id, report: client.update_order(receiver_id, order_id, report), patient
        )
    most_kept = max(settings.keep_checkpoints, int(converts or booting is not None))
    conversions = Conversions(driver, convert_image, most_kept)
    look = conversions.look if converts else None
    keeper = CheckpointKeeper(driver, replicas, most_kept, look)
    proofs = Proofs(
        driver,
        replicas,
        lambda task_id, half: client.submit_half(task_id, ProofSide.RECEIVER, half),
        patient(),
        handed_in=look,
    )
    listener = Listener(
        (settings.listen_host, settings.listen_port),
        admission,
        Sessions(
            replicas,
            proofs,
            keeper,
            admission.serves,
            most=max(LEAST_SHARE, settings.max_connections // 4),
            landing=landings,
        ),
        settings.max_connections,
        client.now,
    )
    watch = AssignmentWatch(
        lambda known: client.list_assignments(receiver_id, known=known, wait_s=settings.poll_wait_s),
        admission,
        replicas,
        proofs,
        orders=landings,
        sure=patient(),
    )
    announcer = Announcer(
        lambda body: client.update_receiver(receiver_id, body),
        describer(settings, driver, listener.port),
        settings.heartbeat_s,
        patient(),
    )
    listener.start()
    log.info("listening", host=settings.listen_host, port=listener.port, receiver_id=receiver_id)
    threads = [("announcer", announcer.run), ("assignments", watch.run), ("proofs", proofs.run)]
    if converts:
        threads.append(("conversions", conversions.run))
    if isinstance(landings, Landings):
        threads += [(f"landing-{number}", landings.run) for number in range(settings.landing_workers)]
    for task, run in threads:
        threading.Thread(target=_guarded, args=(task, run, stop), name=task, daemon=True).start()
    stop.wait()
    listener.stop()
    proofs.end()
    conversions.end()
    landings.end()
    replicas.close()
    if not listener.join(JOIN_S):
        log.warning("sessions_left", note="a session didn't end in time; what it acknowledged is safe")
    log.info("ended")


def _guarded(task: str, run: Callable[[], None], stop: threading.Event) -> None:
    """Run one of the receiver's threads; one that fails ends the receiver rather than leave it half alive."""
    try:
        run()
    except Exception:
        # The outermost loop of the thread.
        log.exception("thread_failed", thread=task)
        stop.set()
