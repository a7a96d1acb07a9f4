"""What is put into a rehearsal's overlay to see inside, never into what is launched.

A unit of systemd runs a shell script when the server is up, or when it fell into emergency mode. The script tells what
it finds as lines of JSON on a virtio-serial port, or on the serial console where the guest has no such port. And the
kernel talks on the serial console, so that what goes wrong before can be read.
"""

import base64
import binascii
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wherry.boot.guest import Guest

PORT: Final = "wherry.rehearsal"
"""The name of the port; the machine's specification must have it."""
MARK: Final = "WHERRY-PROBE "
"""Begins each line on the serial console, where there's no port."""
MOST_OUTPUT: Final = 64 << 10
"""How much of what a check says is told, in bytes."""

_FOLDER: Final = "/etc/wherry-rehearsal"
_UNITS: Final = "/etc/systemd/system"
_SETTLED_S: Final = 600
_LONGEST_LINE: Final = 4 * MOST_OUTPUT
_KERNEL_WORDS: Final = ("console=tty0", "console=ttyS0,115200n8", "systemd.show_status=true")
_HUSHED: Final = frozenset({"quiet", "rhgb", "splash"})
_KERNEL_LINE: Final = re.compile(r"^([ \t]*(?:linux|linux16|linuxefi)[ \t]+\S+)(.*)$", re.MULTILINE)
_OPTIONS_LINE: Final = re.compile(r"^([ \t]*options)([ \t].*)$", re.MULTILINE)
_GRUB_FOLDERS: Final = ("/boot/grub", "/boot/grub2", "/boot/efi/EFI/*")
_ENTRIES: Final = "/boot/loader/entries"


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the user's: a shell command, run as root in the rehearsed server. Status 0 means that it passed."""

    name: str
    command: str
    limit_s: int = 60
    """After that many seconds it's ended, with status 124."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check ended."""

    name: str
    status: int
    output: str
    """What it wrote, to both outputs; `MOST_OUTPUT` of it at most."""


@dataclass(slots=True)
class Report:
    """What the probe has told so far. It's the guest's word: names and texts can be anything."""

    began: str = ""
    """Where the server was when the probe began: multi-user or emergency; "" before."""
    hostname: str = ""
    kernel: str = ""
    state: str = ""
    """systemd's word for the whole: running, degraded, maintenance."""
    failed_units: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    """The lines of /proc/self/mounts."""
    errors: str = ""
    """The last errors of the journal, told in emergency mode."""
    results: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Status and output of each check, by its number."""
    ended: bool = False


class _Began(msgspec.Struct, frozen=True, tag_field="kind", tag="began"):
    at: str


class _Told(msgspec.Struct, frozen=True, tag_field="kind", tag="told"):
    """A fact: its name, and its text in base64, so that a shell needs to quote nothing."""

    name: str
    text: str


class _Checked(msgspec.Struct, frozen=True, tag_field="kind", tag="checked"):
    number: int
    status: int
    text: str


class _Ended(msgspec.Struct, frozen=True, tag_field="kind", tag="ended"):
    pass


_DECODER: Final = msgspec.json.Decoder(_Began | _Told | _Checked | _Ended)


def install(guest: Guest, checks: Sequence[Check]) -> None:
    """Put the probe and *checks* into the opened overlay. Raises WorkbenchFailed."""
    guest.write_text(f"{_FOLDER}/probe.sh", _script(checks), mode=0o755)
    for number, check in enumerate(checks):
        guest.write_text(f"{_FOLDER}/check-{number}.sh", check.command.rstrip("\n") + "\n", mode=0o755)
    for unit, (text, targets) in _units().items():
        guest.write_text(f"{_UNITS}/{unit}", text, mode=0o644)
        for target in targets:
            guest.make_directory(f"{_UNITS}/{target}.wants")
            guest.make_link(f"{_UNITS}/{target}.wants/{unit}", f"{_UNITS}/{unit}")
    for path in _boot_configurations(guest):
        configuration = guest.read_text(path)
        if configuration is not None:
            guest.write_text(path, with_serial_console(configuration))


def with_serial_console(configuration: str) -> str:
    """Return a configuration of GRUB, or a boot loader entry, whose kernels talk on the first serial port."""
    return _OPTIONS_LINE.sub(_talking, _KERNEL_LINE.sub(_talking, configuration))


def _talking(line: re.Match[str]) -> str:
    kept = [word for word in line[2].split() if word not in _HUSHED and word not in _KERNEL_WORDS]
    return " ".join([line[1], *kept, *_KERNEL_WORDS])


def _boot_configurations(guest: Guest) -> list[str]:
    found: list[str] = []
    for pattern in _GRUB_FOLDERS:
        above, _, last = pattern.rpartition("/")
        folders = [f"{above}/{name}" for name in guest.list(above)] if last == "*" else [pattern]
        found += [f"{folder}/grub.cfg" for folder in folders]
    found += [f"{_ENTRIES}/{name}" for name in guest.list(_ENTRIES) if name.endswith(".conf")]
    return found


def _units() -> Mapping[str, tuple[str, Sequence[str]]]:
    """Return the units by their names: the text of each, and the targets that want it."""
    up = (
        "[Unit]\nDescription=Wherry's rehearsal: tell how the server is\nAfter=multi-user.target\n"
        f"[Service]\nType=simple\nExecStart=/bin/sh {_FOLDER}/probe.sh multi-user\n"
    )
    emergency = (
        "[Unit]\nDescription=Wherry's rehearsal: tell why the server isn't up\nDefaultDependencies=no\n"
        f"[Service]\nType=simple\nExecStart=/bin/sh {_FOLDER}/probe.sh emergency\n"
    )
    return {
        "wherry-rehearsal.service": (up, ("multi-user.target",)),
        "wherry-rehearsal-emergency.service": (emergency, ("emergency.target", "rescue.target")),
    }


def _script(checks: Sequence[Check]) -> str:
    told = "\n".join(
        f"check {number} {check.limit_s}"  # numbers only: what users write stands in files of its own
        for number, check in enumerate(checks)
    )
    return _SCRIPT.format(
        port=PORT, mark=MARK, folder=_FOLDER, settled=_SETTLED_S, most=MOST_OUTPUT, checks=told or ":"
    )


_SCRIPT: Final = """\
#!/bin/sh
# Wherry's probe: it stands in the overlay of a rehearsal only.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
line=
mark=
modprobe virtio_console 2>/dev/null
for turn in 1 2 3 4 5 6 7 8 9 10; do
    for each in /sys/class/virtio-ports/*; do
        [ "$(cat "$each/name" 2>/dev/null)" = "{port}" ] && [ -c "/dev/${{each##*/}}" ] && line=/dev/${{each##*/}}
    done
    [ -n "$line" ] && break
    sleep 1
done
[ -n "$line" ] || {{ line=/dev/ttyS0; mark='{mark}'; }}
exec 3>"$line"
packed() {{ base64 | tr -d '\\n'; }}
say() {{ printf '%s%s\\n' "$mark" "$1" >&3; }}
tell() {{ say "{{\\"kind\\":\\"told\\",\\"name\\":\\"$1\\",\\"text\\":\\"$(packed)\\"}}"; }}
check() {{
    text=$(timeout "$2" sh "{folder}/check-$1.sh" 2>&1 </dev/null; printf 'status %s' "$?")
    status=${{text##*status }}
    text=$(printf '%s' "${{text%status *}}" | head -c {most} | packed)
    say "{{\\"kind\\":\\"checked\\",\\"number\\":$1,\\"status\\":$status,\\"text\\":\\"$text\\"}}"
}}
say "{{\\"kind\\":\\"began\\",\\"at\\":\\"$1\\"}}"
if [ "$1" = multi-user ]; then
    timeout {settled} systemctl is-system-running --wait >/dev/null 2>&1
else
    journalctl --boot --priority=err --lines=40 --no-pager --output=cat 2>/dev/null | tell errors
fi
uname -n | tell hostname
uname -r | tell kernel
systemctl is-system-running 2>/dev/null | tell state
systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null | tell failed-units
cat /proc/self/mounts | tell mounts
if [ "$1" = multi-user ]; then
{checks}
fi
say '{{"kind":"ended"}}'
"""


class Listener:
    """Puts what the probe tells, as it comes in pieces, into a report. A line that is no report is passed over."""

    def __init__(self, report: Report, mark: str = "") -> None:
        """Only lines with *mark* count, from there on."""
        self._report = report
        self._mark = mark
        self._begun = ""

    def feed(self, piece: str) -> None:
        """Take what has come since the last time."""
        *complete, self._begun = (self._begun + piece).split("\n")
        if len(self._begun) > _LONGEST_LINE:
            self._begun = ""
        for line in complete:
            _, found, told = line.rpartition(self._mark) if self._mark else ("", "all", line)
            if found:
                self._hear(told)

    def _hear(self, told: str) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            _take(self._report, _DECODER.decode(told))


def _take(report: Report, told: _Began | _Told | _Checked | _Ended) -> None:
    match told:
        case _Began():
            report.began = told.at
        case _Told():
            _take_fact(report, told.name, _unpacked(told.text))
        case _Checked():
            report.results[told.number] = (told.status, _unpacked(told.text))
        case _Ended():
            report.ended = True


def _take_fact(report: Report, name: str, text: str) -> None:
    match name:
        case "hostname":
            report.hostname = text.strip()
        case "kernel":
            report.kernel = text.strip()
        case "state":
            report.state = text.strip()
        case "errors":
            report.errors = text
        case "failed-units":
            # systemd marks a failed unit by a dot in front of its name on terminals that can show it.
            report.failed_units = tuple(
                line.lstrip("●* ").split()[0] for line in text.splitlines() if line.strip("●* ")
            )
        case "mounts":
            report.mounts = tuple(text.splitlines())


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except binascii.Error:
        return ""
