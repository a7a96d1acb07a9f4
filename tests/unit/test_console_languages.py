"""The console's languages: who gets which, and that each says everything."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tools import translations
from wherry.console.languages import NAMES, language_for, languages

TEMPLATES = Path(translations.CONSOLE) / "templates"
CATALOGUES = sorted(translations.LOCALE.glob("*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)s")
OWN_NAMES = {"Wherry", "IPv", "MTU"}


@pytest.mark.parametrize(
    ("accepted", "cookie", "code"),
    [
        ("", "", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
        ("de-DE,en;q=0.5,zh;q=0.3", "", "en"),
        ("fr", "", "en"),
        ("zh;q=x", "", "en"),
        ("en", "wherry-language=zh-CN", "zh-CN"),
        ("zh", "wherry-language=en; other=1", "en"),
        ("zh", "wherry-language=klingon", "zh-CN"),
    ],
)
def test_the_choice_counts_before_the_browsers_wish(accepted: str, cookie: str, code: str) -> None:
    headers = [(b"accept-language", accepted.encode()), (b"cookie", cookie.encode())]
    assert language_for(headers).code == code


def test_every_language_has_a_catalogue() -> None:
    assert {path.stem.replace("_", "-") for path in CATALOGUES} | {"en"} == set(NAMES) == set(languages())


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_text_is_translated(path: Path) -> None:
    with path.open("rb") as stream:
        entries = {str(entry.id): str(entry.string) for entry in read_po(stream, locale=path.stem) if entry.id}
    said = {message for message, _ in translations.messages()}
    assert said - set(entries) == set(), "run python -m tools.translations and translate what's new"
    assert set(entries) - said == set(), "run python -m tools.translations: nobody says this any more"
    assert {text for text, translated in entries.items() if not translated} == set()
    for text, translated in entries.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(translated)), text


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_templates_say_nothing_untranslated(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    not_words = (r"{% block (?:live|kind) %}.*?{% endblock %}", r"{#.*?#}", r"<svg.*?</svg>")
    for pattern in (*not_words, r"{%-?\s*trans\b.*?endtrans\s*-?%}", r"{%.*?%}", r"{{.*?}}"):
        source = re.sub(pattern, " ", source, flags=re.DOTALL)
    shown = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', source)
    words = re.findall(r"[A-Za-z]{2,}", " ".join([re.sub(r"<[^>]*>", " ", source), *shown]))
    assert set(words) - OWN_NAMES == set()


def test_scripts_say_nothing() -> None:
    """A script that shows a text takes it from the page."""
    for path in (translations.CONSOLE / "static").glob("*.js"):
        said = re.findall(r"(?:textContent|title|ariaLabel|innerText) = [\"'`]([^\"'`]*)", path.read_text())
        assert [text for text in said if re.search(r"[A-Za-z]{2,}", text)] == [], path.name
