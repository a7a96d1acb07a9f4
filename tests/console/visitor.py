"""Somebody at a browser: opens pages, and minds what the browser complains about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe

LIMIT_MS = 60_000
_SERIOUS = frozenset({"serious", "critical"})


@dataclass
class Visitor:
    """A window of the browser. *complaints*: what the browser wrote to its console, such as a breach of the policy."""

    page: Any
    origin: str
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, name: str, password: str) -> None:
        """Sign in; ends at the overview."""
        self.page.goto(f"{self.origin}/")
        self.page.fill("[name=name]", name)
        self.page.fill("[name=password]", password)
        self.page.click("form.sign-in button.main")
        self.page.wait_for_selector("nav.side")

    def open(self, path: str) -> Any:
        """Open a page of the console; return the window."""
        self.page.goto(f"{self.origin}{path}")
        return self.page

    def follows(self) -> None:
        """Wait until the page follows what happens."""
        self.page.wait_for_selector("#live[data-state=on]", state="attached")

    def serious_findings(self) -> list[str]:
        """Return what axe finds on the page that keeps somebody from using it."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}"
            for each in found
            if each["impact"] in _SERIOUS
        ]

    def too_wide(self) -> bool:
        """Tell whether the page must be pushed sideways to be read."""
        return bool(self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def visiting(browser: Any, origin: str, **options: Any) -> Iterator[Visitor]:
    """Open a window of its own, with its own cookies; fail where the browser had something to complain about."""
    context = browser.new_context(ignore_https_errors=True, **options)
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    visitor = Visitor(page, origin)
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.on("console", lambda said: visitor.complaints.append(said.text) if said.type == "error" else None)
    try:
        yield visitor
    finally:
        context.close()
    # A refusal that a test provokes is told by the browser as well.
    assert [text for text in visitor.complaints if "the server responded with a status of" not in text] == []
