"""How a machine is watched: a fake whose console and port grow with each look."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.boot import rehearsal as rehearsal_module
from wherry.boot.machine.accelerator import Accelerator
from wherry.boot.machine.errors import MachineGone
from wherry.boot.machine.hardware import BridgeNetwork, Disk, MachineSpec, Nic, UserNetwork
from wherry.boot.probe import MARK, PORT, Check
from wherry.boot.rehearsal import Rehearsal, isolated, watch
from wherry.boot.target import Firmware
from wherry.boot.verdicts import ASKED_S, SILENCE_S, Question
from wherry.contract.enumerations import DiskBus, Verdict

QUESTION = Question(Firmware.BIOS, DiskBus.VIRTIO_BLK, (Check("web", "true"),), limit_s=500)
CHECKED = json.dumps({"kind": "checked", "number": 0, "status": 0, "text": base64.b64encode(b"ok").decode()})
UP = ('{"kind": "began", "at": "multi-user"}', CHECKED, '{"kind": "ended"}')


class Play:
    """A machine that goes through scenes, one a look: text on the console, or on the port. Each takes some seconds."""

    def __init__(
        self, folder: Path, scenes: Sequence[tuple[str, str]], *, pace_s: float = 5, silent: bool = False
    ) -> None:
        self.folder = folder
        self.now = 0.0
        self.reads = 0
        self._scenes: Iterator[tuple[str, str]] = iter(scenes)
        self._pace_s = pace_s
        self._silent = silent
        self.state = "running"
        self.over = False
        self.typed: list[str] = []

    def clock(self) -> float:
        return self.now

    def console(self) -> Path:
        return self.folder / "console"

    def port(self, name: str) -> Path:
        return self.folder / name

    def ended(self, wait_s: float = 0.0) -> bool:
        self.now += max(wait_s, self._pace_s)
        scene = next(self._scenes, None)
        if scene is not None:
            where, text = scene
            with (self.folder / where).open("a") as file:
                file.write(text)
        return self.over and scene is None

    def status(self) -> str:
        if self._silent:
            raise MachineGone(name="play", reason="busy")
        return self.state

    def read_operations(self) -> int:
        return self.reads

    def type(self, line: str) -> None:
        if self._silent:
            raise MachineGone(name="play", reason="busy")
        self.typed.append(line)
        with self.console().open("a") as file:
            file.write(f"{line}\r\n")

    def screenshot(self, picture: Path) -> None:
        if self._silent:
            raise MachineGone(name="play", reason="busy")
        picture.write_bytes(b"picture")


def watched(play: Play, question: Question = QUESTION) -> Rehearsal:
    return watch(play, question, clock=play.clock)


BOOTING = (
    ("console", "Booting from Hard Disk...\r\n"),
    ("console", "Welcome to GRUB!\r\nLinux version 6.1\r\n"),
    ("console", "systemd[1]: systemd 252 running in system mode\r\n"),
)


def test_a_server_that_comes_up_passes_with_stages_and_results(tmp_path: Path) -> None:
    play = Play(tmp_path, [*BOOTING, (PORT, UP[0] + "\n" + UP[1]), (PORT, "\n" + UP[2] + "\n")])
    rehearsal = watched(play)
    assert rehearsal.verdict is Verdict.PASSED
    assert [(each.stage, each.after_s) for each in rehearsal.stages] == [
        ("firmware", 5),
        ("boot-loader", 10),
        ("kernel", 10),
        ("init", 15),
    ]
    assert [(check.name, check.status, check.output) for check in rehearsal.checks] == [("web", 0, "ok")]
    assert rehearsal.screenshot == tmp_path / "screen.png"
    assert rehearsal.took_s == 25


def test_a_probe_without_a_port_is_heard_on_the_console(tmp_path: Path) -> None:
    lines = "".join(f"{MARK}{line}\r\n" for line in UP)
    assert watched(Play(tmp_path, [*BOOTING, ("console", lines)])).verdict is Verdict.PASSED


LOCKED = (*BOOTING[:2], ("console", "Please unlock disk cryptroot: "))
UNLOCKING = replace(QUESTION, passphrases={"cryptroot": "open sesame"})


def test_a_passphrase_is_typed_where_it_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    play = Play(tmp_path, [*LOCKED, BOOTING[2], (PORT, "\n".join(UP) + "\n")])
    rehearsal = watched(play, UNLOCKING)
    assert (rehearsal.verdict, play.typed) == (Verdict.PASSED, ["open sesame"])
    assert "unlock disk cryptroot" in rehearsal.console
    assert "sesame" not in rehearsal.console


def test_a_server_that_waits_for_a_passphrase_is_told_soon(tmp_path: Path) -> None:
    rehearsal = watched(Play(tmp_path, LOCKED))
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.INCONCLUSIVE, "WHERRY.6222")
    assert "cryptroot" in rehearsal.message
    assert rehearsal.took_s <= 15 + ASKED_S


def test_a_passphrase_that_does_not_do_is_typed_once(tmp_path: Path) -> None:
    play = Play(tmp_path, [*LOCKED, ("console", "bad password or options?\r\nPlease unlock disk cryptroot: ")])
    assert watched(play, UNLOCKING).code == "WHERRY.6223"
    assert play.typed == ["open sesame"]


def test_a_console_that_takes_nothing_is_no_verdict(tmp_path: Path) -> None:
    play = Play(tmp_path, [*LOCKED, (PORT, "\n".join(UP) + "\n")], silent=True)
    assert watched(play, UNLOCKING).verdict is Verdict.PASSED


def test_a_panic_is_concluded_at_once_and_not_at_the_limit(tmp_path: Path) -> None:
    rehearsal = watched(Play(tmp_path, [*BOOTING, ("console", "Kernel panic - not syncing: no\r\n")]))
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.FAILED, "WHERRY.6214")
    assert rehearsal.took_s == 25
    assert rehearsal.cause
    assert rehearsal.fix


def test_boot_code_that_does_nothing_is_no_boot_loader(tmp_path: Path) -> None:
    rehearsal = watched(Play(tmp_path, BOOTING[:1]))
    assert rehearsal.code == "WHERRY.6210"
    assert SILENCE_S <= rehearsal.took_s <= SILENCE_S + 20


def test_boot_code_that_still_reads_is_waited_for(tmp_path: Path) -> None:
    class Reading(Play):
        def read_operations(self) -> int:
            self.reads += 1
            return self.reads

    assert watched(Reading(tmp_path, BOOTING[:1])).code == "WHERRY.6217"


@pytest.mark.parametrize("state", ["shutdown", "guest-panicked"])
def test_a_machine_that_stands_still_went_down(tmp_path: Path, state: str) -> None:
    play = Play(tmp_path, BOOTING)
    play.state = state
    assert watched(play).code == "WHERRY.6216"


def test_a_machine_whose_process_ended_went_down(tmp_path: Path) -> None:
    play = Play(tmp_path, BOOTING)
    play.over = True
    rehearsal = watched(play)
    assert rehearsal.code == "WHERRY.6216"
    assert "gone" in rehearsal.message


@pytest.mark.parametrize("where", ["console", PORT])
def test_a_guest_that_floods_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(rehearsal_module, "MOST_FILE", 100_000)
    flood = [(where, "x" * 60_000 + "\n")] * 40
    play = Play(tmp_path, [*BOOTING, *flood, (PORT, "\n".join(UP) + "\n")])
    assert watched(play).verdict is Verdict.PASSED
    assert (tmp_path / where).stat().st_size <= 200_000


def test_a_monitor_that_does_not_answer_is_no_verdict(tmp_path: Path) -> None:
    play = Play(tmp_path, [*BOOTING, (PORT, "\n".join(UP) + "\n")], silent=True)
    rehearsal = watched(play)
    assert (rehearsal.verdict, rehearsal.screenshot) == (Verdict.PASSED, None)


def test_a_rehearsal_can_be_stopped(tmp_path: Path) -> None:
    play = Play(tmp_path, BOOTING)
    rehearsal = watch(play, QUESTION, stop=lambda: play.now >= 10, clock=play.clock)
    assert (rehearsal.verdict, rehearsal.code) == (Verdict.INCONCLUSIVE, "WHERRY.6221")
    assert "kernel" in rehearsal.message


def test_a_rehearsed_machine_reaches_nobody() -> None:
    spec = MachineSpec(
        "server",
        Accelerator.TCG,
        (Disk(Path("/disk")),),
        nics=(
            Nic("52:54:00:00:00:01", BridgeNetwork("br0")),
            Nic("52:54:00:00:00:02", UserNetwork(((2222, 22),))),
        ),
    )
    rehearsed = isolated(spec)
    assert [nic.network for nic in rehearsed.nics] == [UserNetwork(isolated=True)] * 2
    assert [nic.mac for nic in rehearsed.nics] == [nic.mac for nic in spec.nics]
    assert rehearsed.ports == isolated(rehearsed).ports == (PORT,)
    assert rehearsed.once


def test_a_text_that_its_keeper_has_cut_is_read_on_from_its_end(tmp_path: Path) -> None:
    text = tmp_path / "console.log"
    text.write_text("x" * 100 + "kernel\n")
    growing = rehearsal_module._Growing(text)
    assert growing.read().endswith("kernel\n")
    text.write_text("x" * 40 + "kernel\n")
    assert growing.read() == ""
    with text.open("a") as file:
        file.write("login:")
    assert growing.read() == "login:"
