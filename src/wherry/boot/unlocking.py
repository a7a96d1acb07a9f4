"""What is typed where a booting server asks for the passphrase of an encrypted volume. Pure.

Who asks calls the volume by a name: that of its crypttab, or one with its UUID in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_TOKENS: Final = re.compile(r"[^\s()'\"!]+")
HIDDEN: Final = "[passphrase]"
"""Stands in a console's text for a passphrase that a server has shown."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question for a passphrase as the console shows it. *words*: all of it; *volume*: what it calls the volume."""

    words: str
    volume: str


@dataclass(slots=True)
class Unlocker:
    """Answers prompts from the passphrases that are known, by the names of their volumes.

    Each passphrase is tried once for each volume: who asks again was told the wrong one.
    """

    passphrases: Mapping[str, str] = field(default_factory=dict, repr=False)
    asked: str = ""
    """The words of the prompt that nobody could answer, "" for none."""
    refused: bool = False
    """Whether it had been answered before, to no avail."""
    _tried: dict[str, set[str]] = field(default_factory=dict, repr=False)

    def answer(self, prompt: Prompt) -> str | None:
        """Return what to type; None where nothing is known that wasn't tried."""
        tried = self._tried.setdefault(prompt.volume, set())
        for passphrase in self._fitting(prompt.volume):
            if passphrase not in tried:
                tried.add(passphrase)
                self.asked, self.refused = "", False
                return passphrase
        self.asked, self.refused = prompt.words, bool(tried)
        return None

    def hide(self, text: str) -> str:
        """Return a console's text without the passphrases, which some servers show."""
        for passphrase in {*self.passphrases.values()}:
            text = text.replace(passphrase, HIDDEN)
        return text

    def _fitting(self, volume: str) -> list[str]:
        """Return the passphrase of the volume by its name, or all, where none has that name."""
        names = {name.removeprefix("luks-") for name in _TOKENS.findall(volume)}
        # GRUB leaves the hyphens of a UUID out.
        named = [text for name, text in self.passphrases.items() if {name, name.replace("-", "")} & names]
        return list(dict.fromkeys(named or self.passphrases.values()))
