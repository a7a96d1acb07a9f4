"""The languages of the console: gettext catalogues, read from their .po files at start, and who gets which.

Texts are English in the code, and English is the language where a catalogue has nothing.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from wherry.console.cookies import read_cookies

COOKIE = "wherry-language"
ENGLISH = "en"
NAMES: Mapping[str, str] = {ENGLISH: "English", "zh-CN": "简体中文"}
"""The languages by their codes, each in its own words."""


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it
    """Mark *text* for translation where it stands in a table; `Language.say` translates it later."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the console. *code* as in the attribute lang of HTML."""

    code: str
    translations: NullTranslations

    def say(self, text: str, **values: object) -> str:
        """Return *text*, which is English and marked by N_, in this language, with *values* put in by name."""
        translated = self.translations.gettext(text) if text else ""
        return translated % values if values else translated


@cache
def languages() -> Mapping[str, Language]:
    """Return all languages by their codes."""
    return {code: Language(code, _translations(code)) for code in NAMES}


def language_for(headers: Sequence[tuple[bytes, bytes]]) -> Language:
    """Return the language that the visitor chose, else the first of Accept-Language that there is."""
    known = languages()
    chosen = read_cookies(headers).get(COOKIE, "")
    if chosen in known:
        return known[chosen]
    wanted = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept-language")
    for tag in _by_preference(wanted[:1000]):
        found = next((code for code in known if code.partition("-")[0].lower() == tag.partition("-")[0].lower()), None)
        if found is not None:
            return known[found]
    return known[ENGLISH]


def _by_preference(accepted: str) -> list[str]:
    weighed = []
    for piece in accepted.split(","):
        tag, _, weight = piece.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]


def _translations(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    source = files("wherry.console").joinpath("locale", f"{code.replace('-', '_')}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=code.replace("-", "_")))
    compiled.seek(0)
    return GNUTranslations(compiled)
