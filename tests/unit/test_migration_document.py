"""The document of the states is what the tables say."""

from pathlib import Path

from wherry.contract.enumerations import Action, TaskState
from wherry.migration.document import render

WRITTEN = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_document_is_up_to_date() -> None:
    assert WRITTEN.read_text() == render(), "run: python -m wherry.migration.document > docs/states.md"


def test_the_document_knows_every_action_and_state() -> None:
    text = render()
    assert all(f"**{action}**" in text for action in Action)
    assert all(str(state) in text for state in TaskState)
