"""A cutover with a session, a freeze and a control plane that do as a test says."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.unit.agent_doubles import DISK, ROOT, Disks, Freeze, Journal, Session, Tracker
from wherry.agent.cutover import Cutover, CutoverSettings
from wherry.agent.figures import FiguresBook
from wherry.agent.frozen import FrozenPass
from wherry.agent.hooks import Hooks, HookSettings
from wherry.agent.outlook import Outlook
from wherry.agent.passes import Passes
from wherry.agent.tracking import Tracking
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import Patience, Steadfast
from wherry.contract.wherry import Proof, ProofHalf
from wherry.replication.pacing import Pace

NO_HOOKS = HookSettings()


class Control:
    """Signs at the second look, or refuses."""

    def __init__(self, journal: Journal, refusal: ControlPlaneError | None = None) -> None:
        self.journal = journal
        self.refusal = refusal
        self.looks = 0
        self.on_look: Callable[[], None] = lambda: None

    def hand_in(self, _task_id: str, half: ProofHalf) -> None:
        self.journal(f"hand in {half.checkpoint}")

    def proof(self, task_id: str, checkpoint: int) -> Proof | None:
        self.looks += 1
        self.on_look()
        if self.looks == 1:
            return None
        if self.refusal is not None:
            raise self.refusal
        return Proof(
            task_id=task_id, source_id="s", source_name="n", checkpoint=checkpoint, taken_at=1, disks=[ROOT],
            signed_at=2, key_id="k", certificate="c", signature="s",
        )  # fmt: skip


class Stage:
    """A cutover and everything around it."""

    def __init__(
        self, state: Path, *, freezes: Sequence[Freeze] | None = None, hooks: HookSettings = NO_HOOKS,
        mounted: bool = True, changed: Iterable[int] = (), tracker: Tracker | None = None, attempts: int = 3,
        pauses: Patience | None = None,
    ) -> None:  # fmt: skip
        self.journal = Journal()
        self.stop = threading.Event()
        self.book = FiguresBook(state, "task-1")
        self.session = Session(self.journal, changed)
        self.control = Control(self.journal)
        self.freezes = list(freezes if freezes is not None else [Freeze(self.journal)])
        for freeze in self.freezes:
            freeze.journal = self.journal
        self.now = 0.0
        self.tried_at: list[float] = []
        self.limits: list[tuple[list[str], float]] = []
        disks = Disks(self.journal, ["/srv"] if mounted else [])
        self.tracker = tracker or Tracker(Journal())
        self.tracking = Tracking([DISK], tracker, "an image")
        self.outlook = Outlook(2.5, look=dict)
        passes = Passes(
            disks=disks,
            tracking=self.tracking,
            book=self.book,
            pace=Pace(),
            outlook=self.outlook,
            stop=self.stop,
        )
        self.cutover = Cutover(
            settings=CutoverSettings(max_freeze_s=2.5, attempts=attempts, sync_interval_s=0.0, proof_poll_s=0.0),
            frozen=FrozenPass(
                limit_s=2.5,
                hooks=Hooks(hooks, state),
                make_freeze=self.make_freeze,
                disks=disks,
                passes=passes,
                tracking=self.tracking,
                book=self.book,
                trace=self.trace,
            ),
            passes=passes,
            book=self.book,
            control=self.control,
            sure=Steadfast(self.stop, Patience(first_s=0.0)),
            stop=self.stop,
            trace=self.trace,
            pauses=pauses or Patience(first_s=0.0),
            clock=self.clock,
        )

    def clock(self) -> float:
        self.now += 1.0
        return self.now

    def trace(self, text: str) -> None:
        self.journal(f"trace {text}")

    def make_freeze(self, mount_points: Iterable[str], limit_s: float) -> AbstractContextManager[Freeze]:
        self.limits.append((list(mount_points), limit_s))
        self.tried_at.append(self.now)
        return self.freezes.pop(0)

    def run(self) -> list[str]:
        self.cutover.run(self.session, "task-1")
        return [line for line in self.journal.lines if not line.startswith(("trace", "write back"))]
