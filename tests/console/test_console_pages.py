"""The console in a real browser: who signs in, what is seen, by eye, keyboard, telephone and screen reader."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from huaweicloudsdksms import v3

from tests.console.conftest import NAMES, READER, READERS_PASSWORD
from tests.console.visitor import Visitor, visiting
from tests.system.serve_process import ServeProcess, registration, start
from wherry.console.words import SOURCE_STATES

Visit = Callable[..., Visitor]

LISTED = "#source-rows th a"


def source_page(visitor: Visitor, name: str = "alpha", tab: str = "") -> str:
    page = visitor.open("/console/sources")
    return str(page.locator(LISTED, has_text=re.compile(f"^{name}$")).get_attribute("href")) + tab


def pages(visitor: Visitor) -> list[str]:
    """Return a page of each kind."""
    source = source_page(visitor)
    return [
        *("/", "/console/sources", "/console/sources?search=nothing+like+it", "/console/nothing"),
        *("/console/errors", "/console/receivers", "/console/projects", "/console/projects/new"),
        *("/console/templates", "/console/templates/new"),
        *("/console/join-tokens", "/console/audit", "/console/audit?verify=yes"),
        *("/console/subscriptions", "/console/subscriptions/new"),
        *("/console/access", "/console/access/users/new", "/console/access/groups", "/console/access/groups/new"),
        *("/console/access/policies", "/console/access/policies/new", "/console/access/policies/sms-full-access"),
        *(f"{source}{tab}" for tab in ("", "/disks", "/checks", "/network")),
    ]


def test_signing_in_and_out(browser: Any, server: ServeProcess) -> None:
    with visiting(browser, server.admin["endpoint"]) as visitor:
        page = visitor.open("/console/sources?search=alpha")
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", "wrong")
        page.click("form.sign-in button.main")
        assert "wrong" in page.inner_text("[role=alert]")
        page.fill("[name=password]", server.admin["password"])
        page.click("form.sign-in button.main")
        page.wait_for_selector("#list")
        assert page.url.endswith("/console/sources?search=alpha"), "where one wanted to go"
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
        session = cookies["__Host-wherry-session"]
        assert (session["httpOnly"], session["secure"], session["sameSite"]) == (True, True, "Strict")
        page.click("details.menu:has(.who) > summary")
        page.click("text=Sign out")
        page.wait_for_selector("text=You have signed out.")
        page.go_back()
        page.wait_for_selector("form.sign-in")


def test_the_list_is_searched_and_sorted_without_a_new_page(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/console/sources")
    assert page.locator(LISTED).all_inner_texts() == list(NAMES), "a name that means harm is a name"
    page.evaluate("() => { window.unchanged = true; }")
    page.fill("#search", "eta")
    page.wait_for_function(f"() => document.querySelectorAll('{LISTED}').length === 1")
    assert page.url.endswith("?search=eta&state=&stage=&work=&connected=")
    page.fill("#search", "")
    page.select_option("[name=work]", "open")
    page.wait_for_function(f"() => document.querySelector('{LISTED}').textContent === 'alpha'")
    assert page.evaluate("() => window.unchanged") is True
    visitor.open("/console/sources")
    page.click("th:has-text('Name') a")
    page.wait_for_selector("th[aria-sort=ascending]")
    assert page.locator(LISTED).first.inner_text() == NAMES[-1]


def test_columns_are_chosen_and_kept(visit: Visit) -> None:
    page = visit().open("/console/sources")
    assert page.is_visible("td[data-column=address]")
    assert not page.is_visible("td[data-column=added]")
    page.click(".menu.boxed > summary")
    page.uncheck("[data-column-choice][value=address]")
    page.check("[data-column-choice][value=added]")
    page.reload()
    assert not page.is_visible("td[data-column=address]")
    assert page.is_visible("td[data-column=added]")
    assert "UTC" not in page.inner_text("td[data-column=added] >> nth=0"), "in the browser's own zone"


def test_rows_and_the_overview_follow_what_happens(visit: Visit, server: ServeProcess) -> None:
    headers = {"X-Auth-Token": server.token()}
    listing, overview = visit(), visit()
    page = listing.open("/console/sources")
    listing.follows()
    overview.open("/")
    overview.follows()
    page.check("[data-choose=beta]")
    page.focus("[data-choose=alpha]")
    with server.http() as http:
        alpha = http.get("/wherry/v1/fleet?search=alpha", headers=headers).json()["members"][0]
        path = f"/v3/tasks/{alpha['task']['id']}"
        assert http.post(f"{path}/action", headers=headers, json={"operation": "start"}).status_code == 200
        row = page.locator(f"#source-{alpha['id']}")
        state = http.get(f"/v3/sources/{alpha['id']}", headers=headers).json()["state"]
        row.locator(".badge", has_text=SOURCE_STATES[state].text).wait_for()
        overview.page.wait_for_selector(f"#running-{alpha['id']}")
        # Progress, of which no notice tells.
        step = http.get("/wherry/v1/fleet?search=alpha", headers=headers).json()["members"][0]["task"]["step"]
        report = {"subtask_name": step, "progress": 37, "replicatesize": 37, "totalsize": 100, "process_trace": ""}
        assert http.put(f"{path}/progress", headers=headers, json=report).status_code == 200
        overview.page.locator(f"#running-{alpha['id']}", has_text="37 %").wait_for()
        row.locator("progress:not([value='0'])").wait_for()
    assert page.is_checked("[data-choose=beta]"), "what was chosen stays chosen"
    assert page.evaluate("() => document.activeElement.dataset.choose") == "alpha", "so does the focus"
    # A page that is made again under another filter follows that one.
    page.select_option("[name=work]", "none")
    page.wait_for_function("() => document.querySelector('#list').dataset.live.includes('work=none')")
    listing.follows()


def test_many_are_acted_on_after_a_confirmation(visit: Visit) -> None:
    page = visit().open("/console/sources")
    assert not page.is_visible(".batch")
    page.check("[data-choose=beta]")
    page.check("[data-choose=gamma]")
    assert page.inner_text("[data-chosen-count]") == "2"
    page.click("[data-opens=batch-delete]")
    assert page.locator("#batch-delete li").all_inner_texts() == ["beta", "gamma"]
    page.click("#batch-delete [data-closes]")
    assert page.locator(LISTED).count() == len(NAMES), "nothing was done"
    page.click("[data-opens=batch-delete]")
    page.click("#batch-delete button.main")
    page.wait_for_selector(".outcomes")
    page.click("text=Back to the list")
    page.wait_for_selector("#list")
    assert page.locator(LISTED).all_inner_texts() == ["alpha", "delta", NAMES[-1]]


def test_the_list_is_saved_as_a_file(visit: Visit) -> None:
    page = visit().open("/console/sources")
    with page.expect_download() as saving:
        page.click("#export")
    assert saving.value.suggested_filename == "sources.csv"
    assert "alpha" in saving.value.path().read_text(encoding="utf-8-sig")


def test_who_may_only_read_sees_no_buttons_and_is_refused(visit: Visit) -> None:
    visitor = visit(READER, READERS_PASSWORD)
    source = source_page(visitor)
    for path in ("/", "/console/sources", source):
        page = visitor.open(path)
        names = page.locator("button:visible, input[type=checkbox]:visible").all_inner_texts()
        assert names == [], path
    forged = "async (path) => (await fetch(path, {method: 'POST', body: new URLSearchParams({name: 'x'})})).status"
    for path in (f"{source}/rename", f"{source}/delete"):
        assert visitor.page.evaluate(forged, path) == 403
    assert visitor.open(source).inner_text("h1") == "alpha"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Any, visit: Visit, server: ServeProcess, scheme: str, language: str
) -> None:
    with visiting(browser, server.admin["endpoint"], color_scheme=scheme, locale=language) as stranger:
        stranger.open("/console/sign-in")
        assert stranger.serious_findings() == []
    visitor = visit(color_scheme=scheme, locale=language)
    for path in pages(visitor):
        page = visitor.open(path)
        assert page.get_attribute("html", "lang") == language
        assert visitor.serious_findings() == [], path
    page = visitor.open("/console/sources")
    page.check("#choose-all")
    page.click("[data-opens=batch-delete]")
    assert visitor.serious_findings() == []


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_page_is_wider_than_the_screen(visit: Visit, width: int) -> None:
    visitor = visit(viewport={"width": width, "height": 800})
    for path in pages(visitor):
        visitor.open(path)
        assert not visitor.too_wide(), path
    page = visitor.open("/console/sources")
    for menu in ("details.menu:has(.who) > summary", ".menu.boxed > summary"):
        page.click(menu)
        assert not visitor.too_wide(), menu
        page.keyboard.press("Escape")
        assert page.locator("details[open]").count() == 0


def test_everything_can_be_done_by_keyboard(browser: Any, server: ServeProcess) -> None:
    with visiting(browser, server.admin["endpoint"]) as visitor:
        page = visitor.open("/")
        keys = page.keyboard
        page.wait_for_selector("form.sign-in")
        assert page.evaluate("() => document.activeElement.name") == "name"
        for text in (server.admin["user_name"], server.admin["password"]):
            keys.type(text)
            keys.press("Tab")
        keys.press("Enter")
        page.wait_for_selector("nav.side")
        keys.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        keys.press("Enter")
        assert page.evaluate("() => document.activeElement.id") == "content"
        visitor.open("/console/sources")
        page.focus("#choose-all")
        keys.press("Space")
        page.focus("[data-opens=batch-start]")
        keys.press("Enter")
        page.wait_for_selector("#batch-start[open]")
        keys.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert page.evaluate("() => document.activeElement.dataset.opens") == "batch-start", "back where one was"
        keys.press("Enter")
        keys.press("Tab")
        keys.press("Enter")
        page.wait_for_selector(".outcomes")


def test_theme_and_language_are_chosen_and_kept(visit: Visit) -> None:
    visitor = visit(color_scheme="light", locale="en-GB")
    page = visitor.open("/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.click("details.menu:has(.who) > summary")
    page.select_option("#theme", "dark")
    assert page.evaluate(ground) == "rgb(18, 23, 26)"
    page.select_option("#language", "zh-CN")
    page.wait_for_selector("html[lang=zh-CN]")
    assert page.inner_text("h1") == "总览"
    assert page.evaluate(ground) == "rgb(18, 23, 26)"
    assert visitor.open("/console/sources").inner_text("h1") == "源端"


def test_a_session_that_is_revoked_ends_on_open_pages_too(visit: Visit, server: ServeProcess) -> None:
    visitor = visit()
    page = visitor.open("/console/sources")
    visitor.follows()
    token = next(each["value"] for each in page.context.cookies() if each["name"] == "__Host-wherry-session")
    with server.http() as http:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        assert http.delete("/v3/auth/tokens", headers=headers).status_code == 204
    page.wait_for_selector("form.sign-in")


def test_open_pages_hold_up_no_end_and_go_on_after_a_restart(visit: Visit, server: ServeProcess) -> None:
    visitor = visit()
    page = visitor.open("/console/sources")
    visitor.follows()
    assert server.stop() == 0
    page.wait_for_selector("#live[data-state=waiting]", state="attached")
    again = start(server.data, listen=urlsplit(server.admin["endpoint"]).netloc)
    try:
        visitor.follows()
        again.client().register_server(v3.RegisterServerRequest(body=registration("late")))
        page.locator(LISTED, has_text="late").wait_for()
        visitor.complaints.clear()  # the browser tells that it found nobody for a while
    finally:
        again.stop()
