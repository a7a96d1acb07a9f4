"""A form that is nothing but fields one below the other: `templates/entry_form.html` shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wherry.console.forms import Answers, Problem
from wherry.console.visit import Visit
from wherry.server.answers import Answer


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form. *label* and *hint* are English, to be translated; *name* as the contract has it."""

    name: str
    label: str
    kind: Literal["text", "password", "tick", "lines"] = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class EntryForm:
    """What stays the same whatever is entered. *title* is English, to be translated; *back*: where Cancel leads."""

    title: str
    fields: Sequence[Field]
    back: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(field.name for field in self.fields)


def show_form(visit: Visit, form: EntryForm, answers: Answers, problem: Problem | None = None) -> Answer:
    """Return the page of *form* with what was entered, and what is said against it."""
    status = 200 if problem is None else problem.error.status
    return visit.page("entry_form.html", status=status, entry=form, answers=answers, problem=problem)
