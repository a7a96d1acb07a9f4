"""The entries of the navigation, and the notices that a page shows after something was done."""

from collections.abc import Mapping
from dataclasses import dataclass

from wherry.console.languages import N_


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the navigation. *text* is English, to be translated; *operation*: who may not call it doesn't see it.

    *icon* is a symbol of `static/icons.svg`.
    """

    path: str
    text: str
    icon: str
    operation: str


NOTICES: Mapping[str, str] = {
    "saved": N_("Saved."),
    "deleted": N_("Deleted."),
    "started": N_("Started."),
    "ordered": N_("Ordered. The page shows how it goes on."),
    "signed-out": N_("You have signed out."),
}
"""What pages say after something was done, by the key that stands in the address."""
