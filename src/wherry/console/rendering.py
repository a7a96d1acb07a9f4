"""From a template and values to HTML: one Jinja environment a language, everything escaped, nothing undefined."""

import gzip
from collections.abc import Mapping
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined

from wherry.console import formats, words
from wherry.console.languages import NAMES, Language, languages
from wherry.console.static_files import StaticFiles
from wherry.server.answers import Answer
from wherry.server.call import Call
from wherry.server.static_content import takes_gzip

HTML = "text/html; charset=utf-8"
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "vary": "accept, accept-encoding, accept-language, cookie",
}
"""Of every page: nothing runs, is loaded or is sent anywhere but here, and no page is kept after signing out."""

_SMALL = 1024


class Renderer:
    """Makes pages and fragments of them."""

    def __init__(self, static: StaticFiles) -> None:
        loader = PackageLoader("wherry.console")
        self._environments = {code: _environment(loader, language, static) for code, language in languages().items()}

    def render(self, language: Language, template: str, values: Mapping[str, object]) -> str:
        """Return *template* in *language*, filled with *values*."""
        return self._environments[language.code].get_template(template).render(values)


def html_answer(call: Call, html: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return *html* as the answer to *call*, compressed where that's worth it and wanted."""
    body, all_headers = html.encode(), {**SECURITY_HEADERS, **(headers or {})}
    if len(body) > _SMALL and takes_gzip(call.headers):
        body = gzip.compress(body, compresslevel=3, mtime=0)
        all_headers["content-encoding"] = "gzip"
    return Answer(body, status, HTML, all_headers)


def _environment(loader: PackageLoader, language: Language, static: StaticFiles) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "size": formats.size,
        "rate": formats.rate,
        "duration": partial(formats.duration, language=language),
        "moment": formats.moment,
    }
    environment.globals |= {
        "static": static.url,
        "percent": formats.percent,
        "words": words,
        "language": language,
        "language_names": NAMES,
        "say": language.say,
    }
    return environment
