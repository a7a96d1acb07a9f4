"""What is put into an overlay, and what is understood of what comes back."""

import base64
import json
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.boot.memory_guest import MemoryGuest
from wherry.boot.guest import FileKind
from wherry.boot.probe import MARK, Check, Listener, Report, install, with_serial_console

GRUB_CFG = """\
set default=0
menuentry 'Debian GNU/Linux' {
\tlinux\t/boot/vmlinuz-6.1 root=UUID=3f2a ro  quiet splash
\tinitrd\t/boot/initrd.img-6.1
}
"""
TALKING = "\tlinux\t/boot/vmlinuz-6.1 root=UUID=3f2a ro console=tty0 console=ttyS0,115200n8 systemd.show_status=true"


def line(**fields: object) -> str:
    return json.dumps(fields) + "\n"


def told(name: str, text: str) -> str:
    return line(kind="told", name=name, text=base64.b64encode(text.encode()).decode())


def heard(text: str, mark: str = "") -> Report:
    report = Report()
    Listener(report, mark).feed(text)
    return report


def test_kernels_of_grub_talk_on_the_serial_port() -> None:
    assert with_serial_console(GRUB_CFG).splitlines()[2] == TALKING
    assert with_serial_console(GRUB_CFG).count("console=ttyS0") == 1


def test_a_talking_kernel_stays_as_it_is() -> None:
    once = with_serial_console(GRUB_CFG)
    assert with_serial_console(once) == once


def test_kernels_of_entries_talk_too_and_their_initramfs_is_no_kernel() -> None:
    entry = "title Linux\nlinux /vmlinuz-5.14\ninitrd /initramfs-5.14.img\noptions root=UUID=3f2a ro rhgb quiet\n"
    talking = with_serial_console(entry).splitlines()
    assert talking[3].startswith("options root=UUID=3f2a ro console=tty0")
    assert talking[2] == "initrd /initramfs-5.14.img"


def test_the_probe_is_wanted_when_the_server_is_up_and_in_emergency_mode() -> None:
    guest = MemoryGuest({"/boot/grub/grub.cfg": GRUB_CFG, "/boot/loader/entries/one.conf": "options ro\n"})
    install(guest, [Check("first", "true"), Check("second", "test -f '/etc/a b'")])
    links = {name for name, node in guest.nodes.items() if node.kind is FileKind.LINK}
    assert links == {
        "/etc/systemd/system/multi-user.target.wants/wherry-rehearsal.service",
        "/etc/systemd/system/emergency.target.wants/wherry-rehearsal-emergency.service",
        "/etc/systemd/system/rescue.target.wants/wherry-rehearsal-emergency.service",
    }
    assert guest.read_text("/etc/wherry-rehearsal/check-1.sh") == "test -f '/etc/a b'\n"
    assert TALKING in (guest.read_text("/boot/grub/grub.cfg") or "")
    assert "ttyS0" in (guest.read_text("/boot/loader/entries/one.conf") or "")


def test_the_script_is_one_for_every_shell_and_holds_no_words_of_users() -> None:
    guest = MemoryGuest()
    install(guest, [Check("name; rm -rf /", "echo $((1"), Check("second", "true", limit_s=5)])
    script = guest.read_text("/etc/wherry-rehearsal/probe.sh") or ""
    subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    assert "check 1 5" in script
    assert "rm -rf" not in script


def test_what_the_probe_tells_is_understood() -> None:
    report = heard(
        line(kind="began", at="multi-user")
        + told("hostname", "source\n")
        + told("failed-units", "● a.service loaded failed failed A\nb.mount loaded failed failed B\n\n")
        + told("mounts", "/dev/vda3 / ext4 rw 0 0\nproc /proc proc rw 0 0\n")
        + line(kind="checked", number=1, status=3, text=base64.b64encode(b'it\'s "so"').decode())
        + line(kind="ended")
    )
    assert (report.began, report.hostname, report.ended) == ("multi-user", "source", True)
    assert report.failed_units == ("a.service", "b.mount")
    assert report.mounts[0] == "/dev/vda3 / ext4 rw 0 0"
    assert report.results == {1: (3, 'it\'s "so"')}


def test_on_the_console_only_marked_lines_count() -> None:
    noise = "[   12.0] EXT4-fs mounted\n"
    report = heard(noise + line(kind="ended") + "login: " + MARK + line(kind="began", at="multi-user") + noise, MARK)
    assert (report.began, report.ended) == ("multi-user", False)


@given(st.lists(st.integers(1, 30)))
def test_pieces_say_the_same_as_the_whole(lengths: list[int]) -> None:
    left = line(kind="began", at="emergency") + told("errors", "mount failed\n") + line(kind="ended")
    report = Report()
    listener = Listener(report)
    for length in lengths:
        listener.feed(left[:length])
        left = left[length:]
    listener.feed(left)
    assert (report.began, report.errors, report.ended) == ("emergency", "mount failed\n", True)


@given(st.text(max_size=300))
def test_a_guest_may_write_anything(text: str) -> None:
    report = heard(text + "\n" + line(kind="told", name="hostname", text="no base64!") + line(kind="began", at="x"))
    assert (report.began, report.hostname) == ("x", "")


def test_a_line_without_an_end_is_not_kept() -> None:
    report = Report()
    listener = Listener(report)
    for _ in range(9):
        listener.feed("x" * 100_000)
    listener.feed("\n" + line(kind="ended"))
    assert report.ended
