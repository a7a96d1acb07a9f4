"""Pages that show something once, and pages of one user, group, policy or subscription, in a real browser."""

import re
from collections.abc import Callable

import pytest

from tests.console.visitor import Visitor

Visit = Callable[..., Visitor]
SECRET = re.compile(r"\S{20,}")


def fill(visitor: Visitor, path: str, **fields: str) -> None:
    """Fill a form of the console and send it."""
    page = visitor.open(path)
    for name, value in fields.items():
        page.fill(f"form.wizard [name={name}]", value)
    page.click("form.wizard button.main")
    page.wait_for_load_state()


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark", "locale": "zh-CN"}])
@pytest.mark.parametrize("width", [320, 1280])
def test_what_is_made_can_be_seen_by_everybody(visit: Visit, look: dict[str, str], width: int) -> None:
    visitor = visit(viewport={"width": width, "height": 800}, **look)
    page = visitor.page

    def check() -> None:
        assert visitor.serious_findings() == [], page.url
        assert not visitor.too_wide(), page.url

    fill(visitor, "/console/join-tokens")
    assert SECRET.search(page.inner_text("pre.command"))
    check()
    visitor.open("/console/join-tokens")
    page.click("[data-opens^=delete-]")
    check()

    fill(visitor, "/console/access/groups/new", name="night-shift")
    page.wait_for_selector("[name=policy_id]")
    page.select_option("[name=policy_id]", "sms-read-only-access")
    page.click("form[action$='/policies'] button")
    page.wait_for_selector("form[action$='/detach']")
    check()

    fill(visitor, "/console/access/users/new", name="erin", password="a password of some length")
    page.click("form[action$='/keys'] button")
    page.wait_for_selector("#secret")
    check()
    page.click("a.button.main")
    page.wait_for_selector("[data-opens^=delete-]")
    check()

    # Off, so that nobody is told: the only way out would be the network.
    visitor.open("/console/subscriptions/new")
    page.uncheck("[name=enabled]")
    page.fill("[name=name]", "room")
    page.fill("[name=url]", "https://hooks.example/" + "very-long-" * 20)
    page.click("form.wizard button.main")
    page.wait_for_selector("#secret")
    check()
    page.click("a.button.main")
    page.click("form[action$='/test'] button")
    page.wait_for_selector("#deliveries th")
    check()
