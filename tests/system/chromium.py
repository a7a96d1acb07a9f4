"""Debian's Chromium as tests drive it: headless, without a network of its own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

FOREIGN_NAME = "wherry.test"
"""An http:// origin that isn't localhost: the browser lends it no cryptography."""

SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1"),
)


@contextmanager
def running_browser(home: Path) -> Iterator[Any]:
    """Run a browser with its settings in the folder *home*."""
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=BROWSER, headless=True, args=list(SWITCHES), env={**os.environ, "HOME": str(home)}
        )
        yield browser
        browser.close()
