"""What a server is to those who use it: what must be the same on its new hardware, and what must not."""

from dataclasses import dataclass

from tests.vm.shell import Shell
from tests.vm.source_image import INTERFACE, USER
from wherry.process import run

_PHOTO = f"/home/{USER}/photo"


@dataclass(frozen=True, slots=True)
class Portrait:
    """What stays. The texts are as programs of the server write them."""

    hostname: str
    release: str
    users: str
    host_key: str
    """What the SSH server shows to whoever connects."""
    checksums: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the kernel found.

    *disks*: name and transport of each. *card*: driver and address of the card that the server configures.
    """

    disks: list[list[str]]
    firmware: str
    card: list[str]


def leave_traces(shell: Shell) -> None:
    """Have the server own something that no other one has."""
    shell(f"head -c 3000000 /dev/urandom | tee {_PHOTO} >/srv/copy; chown {USER}: {_PHOTO}")


def portrait(shell: Shell) -> Portrait:
    """Ask a running server for its portrait."""
    folders = "/usr/bin /usr/sbin /etc/ssh /home /srv"
    return Portrait(
        shell("hostname"),
        shell("cat /etc/debian_version"),
        shell(f"cat /etc/passwd /etc/group /etc/shadow; stat -c '%U %a' {_PHOTO}"),
        _shown_key(shell),
        shell(f"find {folders} -type f -print0 | sort -z | xargs -0 sha256sum"),
    )


def hardware(shell: Shell) -> Hardware:
    """Ask a running server for its hardware."""
    return Hardware(
        [line.split() for line in shell("lsblk --nodeps --noheadings --output NAME,TRAN").splitlines()],
        shell("test -d /sys/firmware/efi && echo uefi || echo bios").strip(),
        shell(f"cd /sys/class/net/{INTERFACE}; basename $(readlink device/driver); cat address").split(),
    )


def failed_units(shell: Shell) -> set[str]:
    """Wait until the server has started all that it starts, and return what failed."""
    shell("systemctl is-system-running --wait || true", timeout_s=600)
    assert shell("systemctl is-active multi-user.target") == "active\n"
    return set(shell("systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1").split())


def _shown_key(shell: Shell) -> str:
    answer = run(["ssh-keyscan", "-T", "60", "-t", "ed25519", "-p", str(shell.port), "127.0.0.1"], timeout_s=120)
    return answer.decode().split()[-1]
