"""The form of an answer follows what the client says it likes."""

import pytest

from wherry.server.accept import preferred

OFFERS = ("application/json", "text/html")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html"),
        ("text/*", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/json, text/html", "application/json"),
        ("text/html, application/json;q=0.9", "text/html"),
        ("text/html;q=0.2, application/json;q=0.3", "application/json"),
        ("text/html;q=0.2;level=1, */*;q=0.1", "text/html"),
        ("application/json;q=0, text/*;q=0.001", "text/html"),
        ("image/png", "application/json"),
        ("text/html;q=high, application/json;q=0.1", "application/json"),
        ("text/html;q=7, application/json", "application/json"),
        ("nonsense;;,,=", "application/json"),
    ],
)
def test_the_best_liked_form_wins(accept: str | None, wanted: str) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert preferred([(b"host", b"x"), *headers], OFFERS) == wanted


def test_several_headers_count_as_one() -> None:
    headers = [(b"accept", b"application/json;q=0.1"), (b"accept", b"text/html")]
    assert preferred(headers, OFFERS) == "text/html"


def test_an_endless_header_is_read_to_a_limit() -> None:
    assert preferred([(b"accept", b"a/b," * 100_000 + b"text/html")], OFFERS) == "application/json"
