"""The pages of the console, one module a subject. A new module is named here, and nowhere else."""

from collections.abc import Mapping, Sequence

from wherry.console import signing_in
from wherry.console.live import Live
from wherry.console.navigation import Entry
from wherry.console.pages import (
    overview,
    rehearsal,
    source_detail,
    source_list,
    target_wizard,
    task,
    task_actions,
    task_list,
    task_settings,
)
from wherry.console.visit import Page

PAGES: Sequence[Page] = (
    *signing_in.PAGES,
    *source_list.PAGES,
    *source_detail.PAGES,
    *target_wizard.PAGES,
    *task_list.PAGES,
    *task.PAGES,
    *task_actions.PAGES,
    *task_settings.PAGES,
    *rehearsal.PAGES,
)
"""Every page but the overview, which stands at ``/``."""

LIVE: Mapping[str, Live] = {
    **overview.LIVE,
    **source_list.LIVE,
    **source_detail.LIVE,
    **task_list.LIVE,
    **task.LIVE,
    **rehearsal.LIVE,
}
"""The live pages, by what stands behind ``/console/live/``."""

NAVIGATION: Sequence[Entry] = (overview.ENTRY, source_list.ENTRY, task_list.ENTRY)
"""The entries of the navigation in their order."""
