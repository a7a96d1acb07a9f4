"""Bring the console's catalogues up to date: ``python -m tools.translations``.

What the templates and the code say is put into each .po file of `src/wherry/console/locale`, new texts empty and texts
that nobody says any more left out. A test fails while one of them is empty.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

CONSOLE = Path(__file__).resolve().parent.parent / "src" / "wherry" / "console"
LOCALE = CONSOLE / "locale"
_HEADER = """\
# The console in another language. `python -m tools.translations` puts new texts in, empty.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"

"""
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS = {"N_": None, "say": None, "gettext": None, "_": None}


def messages() -> Iterator[tuple[str, str]]:
    """Yield each text of the console and the file that says it."""
    trimmed = {"templates/**.html": {"trimmed": "true"}}
    found = extract_from_dir(CONSOLE, _METHODS, keywords=_KEYWORDS, options_map=trimmed, directory_filter=_any_folder)
    for file, _line, message, _comments, _context in found:
        yield (message if isinstance(message, str) else message[0]), file


def _any_folder(_path: object) -> bool:
    return True  # Babel passes those by whose names begin with an underscore


def main() -> None:
    """Write the catalogues anew."""
    template = Catalog(project="Wherry", charset="utf-8")
    for message, _file in messages():
        template.add(message)
    for path in sorted(LOCALE.glob("*.po")):
        with path.open("rb") as stream:
            catalog = read_po(stream, locale=path.stem)
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        written = io.BytesIO()
        # No places and no dates: two who add texts shall not change the same lines.
        write_po(written, catalog, width=120, sort_output=True, no_location=True, omit_header=True)
        path.write_bytes(_HEADER.format(language=path.stem).encode() + written.getvalue())


if __name__ == "__main__":
    main()
