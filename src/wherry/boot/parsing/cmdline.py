"""The kernel's command line, and the boot loader's files that hold it.

Sources: Linux Documentation/admin-guide/kernel-parameters.rst; the GNU GRUB manual (commands linux and initrd, the
environment block); the Boot Loader Specification (type 1 entries).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_ARGUMENT: Final = re.compile(r'(?:[^\s"\']|"[^"]*"|\'[^\']*\')+')
_GRUB_LINE: Final = re.compile(
    r"^([ \t]*)(linux|linux16|linuxefi|initrd|initrd16|initrdefi)[ \t]+(\S.*)$", re.MULTILINE
)
_BLS_LINE: Final = re.compile(r"^(options|linux|initrd)[ \t]+(\S.*)$", re.MULTILINE)
_ENVIRONMENT_SIZE: Final = 1024
_ENVIRONMENT_HEAD: Final = "# GRUB Environment Block\n"

Replacement = Callable[[str, str], str | None]
"""Called with an argument's name and its value; another value, or None to leave the argument as it is."""


@dataclass(frozen=True, slots=True)
class BootEntry:
    """What a boot loader starts: a kernel with its arguments, and an initramfs."""

    kernel: str
    """Path on the filesystem that the loader reads."""
    arguments: tuple[str, ...]
    initramfs: tuple[str, ...]


def arguments(line: str) -> list[str]:
    """Return the arguments of a command line; quoted blanks don't separate."""
    return _ARGUMENT.findall(line)


def value_of(line: str, name: str) -> str | None:
    """Return the value of the last argument *name*=; None where it isn't there."""
    found = [each.partition("=")[2] for each in arguments(line) if each.startswith(f"{name}=")]
    return found[-1].strip("\"'") if found else None


def replace_arguments(line: str, wanted: Replacement) -> str:
    """Return a command line with other values for the arguments for which *wanted* returns one."""

    def replaced(match: re.Match[str]) -> str:
        name, equals, value = match[0].partition("=")
        other = wanted(name, value.strip("\"'")) if equals else None
        return match[0] if other is None else f"{name}={other}"

    return _ARGUMENT.sub(replaced, line)


def read_grub(text: str) -> list[BootEntry]:
    """Return the entries of a grub.cfg, in its order."""
    entries: list[BootEntry] = []
    for match in _GRUB_LINE.finditer(text):
        words = arguments(match[3])
        if match[2].startswith("linux"):
            entries.append(BootEntry(words[0], tuple(words[1:]), ()))
        elif entries:
            entries[-1] = BootEntry(entries[-1].kernel, entries[-1].arguments, tuple(words))
    return entries


def replace_in_grub(text: str, wanted: Replacement) -> str:
    """Return a grub.cfg with other arguments for its kernels."""

    def replaced(match: re.Match[str]) -> str:
        if not match[2].startswith("linux"):
            return match[0]
        start = match.start(3) - match.start()
        return match[0][:start] + replace_arguments(match[3], wanted)

    return _GRUB_LINE.sub(replaced, text)


def read_loader_entry(text: str) -> BootEntry | None:
    """Return what an entry by the Boot Loader Specification starts; None where it names no kernel."""
    found: dict[str, list[str]] = {"linux": [], "options": [], "initrd": []}
    for match in _BLS_LINE.finditer(text):
        found[match[1]] += arguments(match[2])
    if not found["linux"]:
        return None
    return BootEntry(found["linux"][0], tuple(found["options"]), tuple(found["initrd"]))


def replace_in_loader_entry(text: str, wanted: Replacement) -> str:
    """Return an entry by the Boot Loader Specification with other arguments for its kernel."""

    def replaced(match: re.Match[str]) -> str:
        if match[1] != "options":
            return match[0]
        start = match.start(2) - match.start()
        return match[0][:start] + replace_arguments(match[2], wanted)

    return _BLS_LINE.sub(replaced, text)


def read_environment(text: str) -> dict[str, str]:
    """Return the variables of GRUB's environment block."""
    lines = (line.partition("=") for line in text.split("\n") if not line.startswith("#"))
    return {name: re.sub(r"\\(.)", r"\1", value) for name, equals, value in lines if equals}


def write_environment(variables: Mapping[str, str]) -> str | None:
    """Return GRUB's environment block with *variables*; None where they don't fit into its 1,024 bytes."""
    lines = (f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in variables.items())
    block = _ENVIRONMENT_HEAD + "".join(lines)
    room = _ENVIRONMENT_SIZE - len(block.encode(errors="surrogateescape"))
    return None if room < 0 else block + "#" * room
