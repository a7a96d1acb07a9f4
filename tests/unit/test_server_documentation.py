"""What the control plane tells about itself: to anybody, in the form that's asked for, and with strict headers."""

import gzip
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from msgspec import json

from tests.unit.server_harness import Harness, run
from wherry.contract.catalogue import EVERY_ENTRY
from wherry.contract.error_entry import ErrorEntry
from wherry.contract.explanations import Explanation, Explanations
from wherry.server.error_pages import ErrorPages

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PARTS = {path.name: path.read_text() for path in files("wherry.server").joinpath("explorer").iterdir()}
PAGES = {name: text for name, text in PARTS.items() if ".html" in name}


class Page(HTMLParser):
    """What is in a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def assert_strict(answer: httpx.Response) -> None:
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-request-id"]


def test_every_code_has_a_page_in_both_forms(data: Path) -> None:
    async def check(harness: Harness) -> None:
        client = harness.client()
        for code, entry in EVERY_ENTRY.items():
            answer = await client.get(f"/errors/{code}")
            assert answer.headers["content-type"] == "application/json"
            explained = json.decode(answer.content, type=Explanation)
            status = entry.status if isinstance(entry, ErrorEntry) else None
            wanted = (code, status, entry.message, entry.cause, entry.fix)
            assert (explained.code, explained.status, explained.message, explained.cause, explained.fix) == wanted
            page = await client.get(f"/errors/{code}", headers=HTML)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert_strict(page)
            text = Page(page.text).text
            for words in (code, "" if status is None else str(status), entry.message, entry.cause, entry.fix):
                assert " ".join(words.replace("`", "").split()) in text

    run(data, check)


def test_the_list_names_every_code(data: Path) -> None:
    async def check(harness: Harness) -> None:
        client = harness.client()
        listed = json.decode((await client.get("/errors")).content, type=Explanations)
        assert listed.count == len(EVERY_ENTRY)
        assert {entry.code for entry in listed.errors} == set(EVERY_ENTRY)
        page = await client.get("/errors", headers=HTML)
        assert_strict(page)
        links = {attributes.get("href") for tag, attributes in Page(page.text).tags if tag == "a"}
        assert {f"/errors/{code}" for code in EVERY_ENTRY} <= links

    run(data, check)


def test_a_code_is_found_in_any_case_and_an_unknown_one_is_refused(data: Path) -> None:
    async def check(harness: Harness) -> None:
        client = harness.client()
        assert (await client.get("/errors/sms.0515")).json()["code"] == "SMS.0515"
        for accept in ({}, HTML):
            answer = await client.get("/errors/<img src=x>", headers=accept)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/json"
            assert answer.json()["error_code"] == "WHERRY.5520"
            assert answer.json()["fix"] == EVERY_ENTRY["WHERRY.5520"].fix

    run(data, check)


def test_what_a_catalogue_says_never_becomes_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ErrorEntry("SMS.0001", 400, "<b>&'\"$title", "`<i>` is $1 code", "an odd ` mark <u>")
    monkeypatch.setattr("wherry.server.error_pages.EVERY_ENTRY", {"SMS.0001": entry})
    pages = ErrorPages()
    listing, page = (
        Page(content.answer([]).body.decode())
        for content in (pages._list["text/html"], pages._each["SMS.0001"]["text/html"])
    )
    for read in (listing, page):
        assert not {"b", "i", "u"} & {tag for tag, _ in read.tags}
        assert "<b>&'\"$title" in read.text
    assert "<i> is $1 code" in page.text
    assert "an odd ` mark <u>" in page.text


def test_the_document_comes_compressed_to_those_who_take_it(data: Path) -> None:
    async def check(harness: Harness) -> None:
        client = harness.client()
        small = await client.get("/openapi.json", headers={"accept-encoding": "br, gzip;q=0.5"})
        assert small.headers["content-encoding"] == "gzip"
        assert small.headers["vary"] == "accept, accept-encoding"
        plain = small.content  # unpacked by the client
        for refusing in ("identity", "gzip;q=0", ""):
            answer = await client.get("/openapi.json", headers={"accept-encoding": refusing})
            assert "content-encoding" not in answer.headers
            assert answer.content == plain
        assert int(small.headers["content-length"]) == len(gzip.compress(plain, mtime=0)) < len(plain) / 4
        assert small.json()["openapi"].startswith("3.1.")

    run(data, check)


def test_the_explorer_and_all_its_parts_are_served(data: Path) -> None:
    async def check(harness: Harness) -> None:
        client = harness.client()
        page = await client.get("/explorer")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert_strict(page)
        kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
        for name, text in PARTS.items():
            answer = await client.get(f"/explorer/{name}")
            if name.endswith(".template"):
                assert answer.status_code == 404
                continue
            assert_strict(answer)
            assert answer.text == text
            if name != "index.html":
                assert answer.headers["content-type"] == kinds[name.rpartition(".")[2]]
        for name in ("nothing.js", "..%2fapp.py", "%2e%2e%2fapp.py", "__init__.py"):
            assert (await client.get(f"/explorer/{name}")).status_code == 404

    run(data, check)


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_nothing_that_the_policy_forbids(name: str) -> None:
    page = Page(PAGES[name])
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
        if tag in {"script", "link"}:
            address = attributes.get("src") or attributes.get("href") or ""
            assert address.removeprefix("/explorer/") in PARTS
    assert "style" not in {tag for tag, _ in page.tags}


@pytest.mark.parametrize("name", PARTS)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    text = PARTS[name].replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"""(?:src|href|from|import|url)\W{1,3}https?://""", text)
    assert "@import" not in text


@pytest.mark.parametrize("name", [name for name in PARTS if name.endswith(".js")])
def test_scripts_import_what_exists_and_make_no_markup(name: str) -> None:
    text = PARTS[name]
    for address in re.findall(r"""from "\./([^"]+)";""", text):
        assert address in PARTS
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
        text.replace("without innerHTML", ""),
    )
    stored = re.findall(r"(?:local|session)Storage\.setItem\((\w+)", text)
    assert stored == (["key"] if name == "theme.js" else [])
    assert "document.cookie" not in text
