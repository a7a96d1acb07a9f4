"""The demonstration as a user runs it, with small disks: plain, with kills, without root, interrupted."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.api import PublicApi
from wherry.contract.installation import read_admin_file

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240
NOBODY = "65534"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for loop devices")


def command(directory: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "demo", "--small", "--dir", str(directory), *options]


def run_demo(directory: Path, *options: str, before: tuple[str, ...] = ()) -> str:
    """Run the demonstration, require that it ends well and leaves nothing behind, and return what it printed."""
    with subprocess.Popen(
        [*before, *command(directory, *options)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            text, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            # Not killed: it shall tidy up.
            process.terminate()
            text, _ = process.communicate()
            pytest.fail(f"it did not end in {LIMIT_S} s:\n{text}")
    assert process.returncode == 0, text
    assert text.splitlines()[-1] == "equal: yes"
    assert "\x1b" not in text
    assert_nothing_left(directory)
    return text


def assert_nothing_left(directory: Path) -> None:
    """Require that no mount, loop device, process or file of a run in *directory* is left."""
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()
    losetup = shutil.which("losetup", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert losetup is not None
    assert str(directory) not in subprocess.run([losetup, "--list"], capture_output=True, text=True, check=True).stdout
    assert processes_of(directory) == []
    assert [
        path for path in directory.glob("run-*") if {entry.name for entry in path.iterdir()} != {"logs", ".lock"}
    ] == []


def processes_of(directory: Path) -> list[str]:
    """Return the command lines that name *directory*, this test's own aside."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if str(directory) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def figure(text: str, name: str) -> int:
    """Return the bytes of the row *name* of the closing table."""
    found = re.search(rf"^{name}: ([\d,]+)", text, re.MULTILINE)
    assert found is not None, text
    return int(found[1].replace(",", ""))


@pytest.mark.root
@needs_root
def test_a_live_disk_lands_equal_and_the_programs_stay(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    arguments = command(tmp_path, "--stay", "--picture", str(picture))
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        text = "".join(lines)
        assert_open_to_its_user(text)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0, text
    assert_nothing_left(tmp_path)
    assert "\nequal: yes\n" in text
    assert 0 < figure(text, "sent") <= figure(text, "read")
    assert figure(text, "used") < figure(text, "bytes on the disk") == 512 << 20
    assert figure(text, "passes") >= 3
    assert figure(text, "changes by the writer") > 0
    assert figure(text, "frozen") > 0
    assert picture.read_text().startswith("<svg")


def assert_open_to_its_user(text: str) -> None:
    """Require that the control plane answers at the address and with the credentials that *text* names."""
    found = re.search(r"^Credentials: (\S+);", text, re.MULTILINE)
    assert found is not None, text
    assert Path(found[1]).stat().st_mode & 0o777 == 0o600
    admin = read_admin_file(Path(found[1]))
    assert f"The programs stay up: {admin.endpoint}\n" in text
    api = PublicApi.log_in(admin)
    try:
        (task,) = api.get("/v3/tasks")["tasks"]
        assert task["state"] == "MIGRATE_SUCCESS"
    finally:
        api.close()


@pytest.mark.root
@needs_root
def test_kills_on_the_way_change_nothing_in_the_end(tmp_path: Path) -> None:
    text = run_demo(tmp_path, "--chaos")
    assert re.search(r"^kill -9 of the agent: in pass 0,", text, re.MULTILINE)
    assert re.search(r"^kill -9 of the receiver: in pass [1-9]", text, re.MULTILINE)
    # The point of resuming: what was sent twice is a small part of what was sent.
    assert figure(text, "sent twice") < figure(text, "sent") / 2


@pytest.mark.root
@needs_root
def test_a_byte_that_changes_on_the_landed_disk_is_no_success(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Verification"):
                (landed,) = tmp_path.glob("run-*/lab/images/*/disk-0.raw")
                with landed.open("r+b") as file:
                    file.seek(512)  # the partition table
                    file.write(b"eFI PART")
                break
        text = process.stdout.read()
        assert process.wait(LIMIT_S) == 1, text
    assert text.splitlines()[-1] == "equal: NO"
    assert re.search(r"^✘ cmp of \d+ used ranges: byte 512 of the disk differs", text, re.MULTILINE)
    assert re.search(r"^✘ wherry verify: the signed proof holds for the copy: ", text, re.MULTILINE)
    assert re.search(r"^✔ wherry verify: the signed proof holds for the source", text, re.MULTILINE)
    assert_nothing_left(tmp_path)


def test_a_plain_user_moves_an_image_file(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        run_demo(tmp_path)
        return
    # The interpreter may lie where only root may look; that one right is left to the user, and no other.
    drop = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups")
    caps = (
        "--bounding-set=-all,+dac_read_search",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
    )
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    os.chown(tmp_path, int(NOBODY), int(NOBODY))
    text = run_demo(tmp_path, before=(*drop, *caps))
    assert "we aren't root" in text


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        command(tmp_path, "--chaos"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Full copy"):
                time.sleep(1.0)
                process.send_signal(number)
                break
        text = process.stdout.read()
        assert process.wait(LIMIT_S) == 128 + number, text
    assert_nothing_left(tmp_path)
