"""The order of events: source, programs, task, copy, synchronisation, cutover, verification."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo import amounts, services
from demo.api import PublicApi, wait_for_admin
from demo.chaos import Chaos
from demo.errors import DemoRefused, TookTooLong
from demo.migration import Migration, Snapshot
from demo.scale import FULL, SMALL, Scale
from demo.services import Service
from demo.source import Source, add_burst, image_source, laboratory, mounted_source, require_room
from demo.story import Story
from demo.summary import Summary
from demo.verification import Verdict, verify
from demo.writer import Tally, read_tally
from wherry.contract.installation import AdminFile

POLL_S = 0.2
START_LIMIT_S = 60.0
COPY_LIMIT_S = 600.0
SYNC_LIMIT_S = 300.0
CUTOVER_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    directory: Path
    small: bool = False
    chaos: bool = False
    stay: bool = False
    keep: bool = False
    picture: Path | None = None

    @property
    def scale(self) -> Scale:
        """Return how big the run is."""
        return SMALL if self.small else FULL


@dataclass(slots=True)
class Scenario:
    """A run in *work*. What it starts and mounts is entered into *stack*, which undoes it."""

    options: Options
    work: Path
    stack: contextlib.ExitStack
    story: Story
    programs: list[Service] = field(default_factory=list)
    admin: AdminFile | None = None

    def play(self) -> Summary:
        """Play all of it. Raises WherryError where it fails; a copy that isn't equal is no failure but a result."""
        began = time.monotonic()
        source, images = self._build_source()
        writer = self._start_writer(source)
        migration, agent, receiver = self._start_programs(source, images)
        order_burst = self._burst(source, writer)
        chaos = Chaos(agent, receiver, order_burst) if self.options.chaos else None

        ordered = time.monotonic()
        self._start_task(migration)
        self._follow(migration, chaos, "The full copy", COPY_LIMIT_S, lambda now: now.task_state == "SYNCING")
        self.story.begin("Continuous sync", "what the writer changes follows, pass by pass")
        if writer is None and chaos is None:
            order_burst()
        self._follow(
            migration, chaos, "A pass of changes", SYNC_LIMIT_S, lambda now: now.newest_pass >= 1 and _is_over(chaos)
        )
        self.story.begin("Cutover", "freeze, last pass, commit, thaw" if source.hook else "last pass, commit")
        migration.act("cutover")
        success = self._follow(migration, None, "The cutover", CUTOVER_LIMIT_S, _has_succeeded)
        move_s = time.monotonic() - ordered

        verdict = self._verify(migration, source, images)
        if success.figures is None:
            raise DemoRefused(reason="The task has succeeded but the agent reported no figures.")
        return Summary(
            figures=success.figures,
            verdict=verdict,
            tally=self._tally(),
            kills=chaos.kills if chaos else [],
            frozen=bool(source.hook),
            move_s=move_s,
            wall_s=time.monotonic() - began,
        )

    def _build_source(self) -> tuple[Source, Path]:
        """Make the source; return it and where the receiver shall put the copies."""
        scale = self.options.scale
        require_room(self.work, scale)
        if os.geteuid() == 0:
            self.story.begin("The source", "making a disk with ext4 and xfs, filling it from /usr")
            lab = self.stack.enter_context(laboratory(self.work, scale))
            source = self.stack.enter_context(mounted_source(lab, scale))
            images = lab / "images"
        else:
            self.story.begin("The source", "making an image file with ext4, filling it from /usr")
            source = image_source(self.work, scale)
            images = self.work / "images"
        kinds = " + ".join(filesystem.kind for filesystem in source.filesystems)
        filled = amounts.size(scale.files + scale.noise)
        how = "mounted, being written" if source.mount_points else "an image file, no writer: we aren't root"
        self.story.tell(f"{amounts.size(source.size)}, GPT, {kinds}, {filled} of files; {how}")
        return source, images

    def _start_writer(self, source: Source) -> Service | None:
        if not source.mount_points:
            return None
        return self._start(services.writer(self.work, self.options.scale, source))

    def _burst(self, source: Source, writer: Service | None) -> Callable[[], None]:
        """Return what makes many changes at one stroke."""
        if writer is not None:
            return lambda: writer.send(signal.SIGUSR1)
        return lambda: add_burst(source, self.options.scale, self.work)

    def _start_programs(self, source: Source, images: Path) -> tuple[Migration, Service, Service]:
        """Start server, receiver and agent, and have the two join; return the user's view, agent and receiver."""
        self.story.begin("The programs", "wherry serve")
        self._start(services.serve(self.work, services.free_port()))
        admin = self.admin = wait_for_admin(self.work / "server", limit_s=START_LIMIT_S, check=self.require_alive)
        api = PublicApi.log_in(admin)
        self.stack.callback(api.close)
        migration = Migration(api)
        tokens = {role: self.work / f"{role}.token" for role in ("receiver", "agent")}
        for role, path in tokens.items():
            migration.write_join_token(role, path)
        receiver = self._start(services.receiver(self.work, admin, tokens["receiver"], images))
        agent = self._start(services.agent(self.work, admin, tokens["agent"], source))
        self.story.tell("wherry serve, receiver, agent; the two are joining with one-time tokens")
        self._wait("The receiver's joining", migration.receiver_is_there)
        self._wait("The agent's registration", lambda: migration.source_is_there("demo-agent"))
        self.story.tell("serve, receiver, agent over TLS, joined with one-time tokens")
        return migration, agent, receiver

    def _start_task(self, migration: Migration) -> None:
        limit = self.options.scale.chaos_mbit if self.options.chaos else 0
        if self.admin is None:
            raise DemoRefused(reason="The control plane isn't running.")
        migration.create_task(self.admin.project_id, speed_limit=limit)
        migration.act("start")
        pace = f", held to {limit} Mbit/s for the kills" if limit else ""
        self.story.begin("Full copy", f"MIGRATE_BLOCK task, syncing{pace}")

    def _verify(self, migration: Migration, source: Source, images: Path) -> Verdict:
        self.story.begin("Verification", "cmp of every used byte, e2fsck, xfs_repair, diff, wherry verify")
        proof: list[bytes] = []

        def proven() -> bool:
            if (document := migration.proof()) is not None:
                proof.append(document)
            return bool(proof)

        self._wait("The signed proof", proven)
        if self.admin is None:
            raise DemoRefused(reason="The control plane isn't running.")
        copy = images / migration.task_id / "disk-0.raw"
        verdict = verify(source, copy, proof=proof[-1], ca_file=Path(self.admin.ca_file), work=self.work)
        self.story.tell(f"{len(verdict.checks)} checks right, {len(verdict.findings)} findings")
        return verdict

    def _start(self, service: Service) -> Service:
        self.programs.append(service)
        return self.stack.enter_context(service)

    def require_alive(self, grace_s: float = 0.0) -> None:
        """Raise ServiceEnded when a program has ended, or ends within *grace_s* seconds."""
        time.sleep(grace_s)
        for program in self.programs:
            program.require_alive()

    def _tally(self) -> Tally:
        return read_tally(self.work / services.STATUS_FILE)

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds. Raises TookTooLong, ServiceEnded."""
        deadline = time.monotonic() + START_LIMIT_S
        while not condition():
            self.require_alive()
            if time.monotonic() > deadline:
                raise TookTooLong(what=what, limit_s=START_LIMIT_S, state="")
            time.sleep(POLL_S)

    def _follow(
        self,
        migration: Migration,
        chaos: Chaos | None,
        what: str,
        limit_s: float,
        condition: Callable[[Snapshot], bool],
    ) -> Snapshot:
        """Show the figures until *condition* holds of them; let *chaos* have its way meanwhile."""
        deadline = time.monotonic() + limit_s
        while True:
            self.require_alive()
            now = migration.snapshot()
            self.story.observe(now, self._tally())
            kill = chaos.look(now) if chaos else None
            if kill is not None:
                sent = amounts.size(kill.sent_in_pass)
                self.story.happen(
                    f"kill -9 of the {kill.service} in pass {kill.pass_number}, {sent} of it sent; restarted"
                )
            if condition(now):
                return now
            if time.monotonic() > deadline:
                raise TookTooLong(what=what, limit_s=limit_s, state=f"The task is {now.task_state}.")
            time.sleep(POLL_S)


def _is_over(chaos: Chaos | None) -> bool:
    return chaos is None or chaos.over


def _has_succeeded(now: Snapshot) -> bool:
    """Tell whether the task is a success and the agent's last figures have arrived."""
    return now.task_state == "MIGRATE_SUCCESS" and now.figures is not None and now.figures.phase == "done"
