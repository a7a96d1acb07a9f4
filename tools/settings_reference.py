"""The reference of what the three programs can be told, written from their options.

``python -m tools.settings_reference`` writes ``docs/settings.md``. A unit test holds the page to the code.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tools import command_reference

WRITTEN: Final = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "WHERRY_ACCESS_KEY": "Commands: the access key, with `WHERRY_ENDPOINT`.",
        "WHERRY_CA_FILE": "Commands: PEM file of the control plane's CA, with `WHERRY_ENDPOINT`. Without it the "
        "system's authorities are trusted.",
        "WHERRY_DATABASE": "`wherry serve`: URL of the PostgreSQL database, where neither `--database` nor "
        "`--database-file` is given.",
        "WHERRY_ENDPOINT": "Commands: address of the control plane, in place of a profile.",
        "WHERRY_PROFILE": "Commands: the profile to use.",
        "WHERRY_SECRET_KEY": "Commands: the secret key, with `WHERRY_ENDPOINT`.",
    }
)
"""The variables that people set."""
INTERNAL: Final = frozenset({"WHERRY_UNPACKED"})
"""The variables by which Wherry's own processes talk to each other."""

_PROGRAMS: Final = (
    ("serve", "The control plane"),
    ("receiver", "A receiver"),
    ("agent", "An agent"),
)
_HEAD: Final = """\
# Settings

Written by `python -m tools.settings_reference` from the options of the programs; don't edit it.

The programs are told what to do by options and by variables of the environment. Two files add to that: the settings of
[Keystone](keystone.md), and `WHERRY_OPTIONS` in `/etc/wherry-agent/agent.conf`, the options of an agent that was
[installed by the join command](operator-guide.md#install-the-agent).

What belongs to a task (speed limits, rehearsal checks,
the target machine) is set by API, command line or console, and kept by the control plane.
"""
_OPTION: Final = re.compile(r"^\* `(?P<name>--[^`]+)`: (?P<text>.*(?:\n    .*)*)$", re.MULTILINE)
_DEFAULT: Final = re.compile(r" ?\*\[default: (?P<value>.*?)\]\*")


def render() -> str:
    """Return the page."""
    reference = command_reference.render()
    parts = [_HEAD]
    for program, title in _PROGRAMS:
        lines = [f"| `{name}` | {text} | {default} |" for name, text, default in _options(reference, program)]
        table = "\n".join(["| option | meaning | default |", "|---|---|---|", *lines])
        parts.append(f"## {title}: `wherry {program}`\n\n{table}\n")
    variables = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in sorted(ENVIRONMENT.items()))
    parts.append(f"## The environment\n\n| variable | for |\n|---|---|\n{variables}\n")
    return "\n".join(parts)


def _options(reference: str, program: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, meaning and default of each option of a program, the required ones first."""
    _, _, section = reference.partition(f"\n## wherry {program}\n")
    section = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
    for option in _OPTION.finditer(section):
        text = " ".join(option["text"].split())
        default = _DEFAULT.search(text)
        told = "" if default is None else f"`{default['value']}`"
        if "**[required]**" in text:
            told = "required"
        meaning = _DEFAULT.sub("", text).replace(" **[required]**", "").replace("|", r"\|")
        yield option["name"], meaning, told


if __name__ == "__main__":
    WRITTEN.write_text(render(), encoding="utf-8")
