"""A hook of MkDocs: the decisions in `docs/adr` are listed in the navigation without naming each in mkdocs.yml."""

from pathlib import Path
from typing import Any, Protocol


class Configuration(Protocol):
    """What of MkDocs' configuration is read and changed here."""

    docs_dir: str
    nav: list[Any] | None


def on_config(config: Configuration) -> None:
    """Append the decisions, in their order, to the navigation."""
    folder = Path(config.docs_dir)
    decisions = sorted(path.relative_to(folder).as_posix() for path in (folder / "adr").glob("*.md"))
    config.nav = [*(config.nav or []), {"Decisions": decisions}]
