"""What `wherry agent doctor` prints: each finding with its cause and what can be done about it."""

import os
from collections.abc import Iterator, Mapping

import msgspec

from wherry.disks.tracking.doctor import Diagnosis, DiskFinding, Finding

_NOT_ROOT = "Run it as root, in the server's own namespaces and not in a container."
_CHANNEL_FIXES: Mapping[str, str] = {
    "ftrace": "Use a kernel with CONFIG_EVENT_TRACING, 3.10 or newer, that is not locked down to confidentiality.",
    "ebpf": (
        "Use Linux 5.5 or newer with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF. Where ftrace works it isn't needed: "
        "without it changes that overflow the ring while the agent is down cost a digest scan."
    ),
    "memory": "Mount a tmpfs at /run or /dev/shm.",
}
_SCANS = "Nothing has to be done: it's moved by digest scans. Expect a longer freeze."


class Line(msgspec.Struct, frozen=True):
    """A finding on a channel, on the memory that tracking needs, or on a disk.

    *facts*: what is worth knowing besides. *cause* and *fix* are empty where it works.
    """

    kind: str
    name: str
    works: bool
    cause: str
    fix: str
    facts: dict[str, str]


class Document(msgspec.Struct, frozen=True):
    """What --json prints. *tracked*: changes of all disks can be tracked by at least one channel."""

    kernel: str
    machine: str
    tracked: bool
    findings: list[Line]


def document(diagnosis: Diagnosis) -> Document:
    """Return the findings with their fixes."""
    lines = [_of_channel("channel", channel.name, channel) for channel in diagnosis.channels]
    lines.append(_of_channel("memory", "", diagnosis.memory))
    lines += [_of_disk(disk) for disk in diagnosis.disks]
    return Document(diagnosis.kernel, diagnosis.machine, diagnosis.works, lines)


def as_json(diagnosis: Diagnosis) -> str:
    """Return the findings as one JSON document."""
    return msgspec.json.encode(document(diagnosis)).decode()


def as_text(diagnosis: Diagnosis) -> str:
    """Return the findings for people."""
    return "\n".join(_lines(document(diagnosis)))


def _lines(found: Document) -> Iterator[str]:
    yield f"Linux {found.kernel} on {found.machine}"
    for line in found.findings:
        facts = "".join(f"; {name}: {value}" for name, value in line.facts.items())
        yield f"{f'{line.kind} {line.name}'.strip()}: {'works' if line.works else 'does not work'}{facts}"
        if not line.works:
            yield f"  cause: {line.cause}"
            yield f"  fix:   {line.fix}"
    yield f"changes can be tracked: {'yes' if found.tracked else 'no; each pass reads all that is in use'}"


def _of_channel(kind: str, name: str, found: Finding) -> Line:
    fix = "" if found.works else _CHANNEL_FIXES[found.name] if os.geteuid() == 0 else _NOT_ROOT
    return Line(kind, name, found.works, found.reason, fix, dict(found.facts))


def _of_disk(found: DiskFinding) -> Line:
    return Line("disk", found.name, found.works, found.reason, "" if found.works else _fix(found), dict(found.heard))


def _fix(found: DiskFinding) -> str:
    if found.beneath:
        return f"Move {', '.join(f'/dev/{name}' for name in found.beneath)} instead, by --disk."
    if "iostats" in found.reason:
        return "Write 1 to queue/iostats in the disk's folder of /sys/block."
    return _SCANS
