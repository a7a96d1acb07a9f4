"""The pages of the console, one module a subject. A new module is named here, and nowhere else."""

from collections.abc import Mapping, Sequence

from wherry.console import signing_in
from wherry.console.live import Live
from wherry.console.navigation import Entry
from wherry.console.pages import (
    audit,
    failure_list,
    group,
    join_tokens,
    migproject_form,
    migproject_list,
    overview,
    policy,
    receiver_list,
    rehearsal,
    source_detail,
    source_list,
    subscription_form,
    subscription_list,
    target_wizard,
    task,
    task_actions,
    task_list,
    task_settings,
    template_form,
    template_list,
    user,
    user_list,
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
    *failure_list.PAGES,
    *receiver_list.PAGES,
    *migproject_list.PAGES,
    *migproject_form.PAGES,
    *template_list.PAGES,
    *template_form.PAGES,
    *join_tokens.PAGES,
    *audit.PAGES,
    *user_list.PAGES,
    *user.PAGES,
    *group.PAGES,
    *policy.PAGES,
    *subscription_list.PAGES,
    *subscription_form.PAGES,
)
"""Every page but the overview, which stands at ``/``."""

LIVE: Mapping[str, Live] = {
    **overview.LIVE,
    **source_list.LIVE,
    **source_detail.LIVE,
    **task_list.LIVE,
    **task.LIVE,
    **rehearsal.LIVE,
    **failure_list.LIVE,
    **receiver_list.LIVE,
    **subscription_list.LIVE,
}
"""The live pages, by what stands behind ``/console/live/``."""

NAVIGATION: Sequence[Entry] = (
    overview.ENTRY,
    source_list.ENTRY,
    task_list.ENTRY,
    failure_list.ENTRY,
    receiver_list.ENTRY,
    migproject_list.ENTRY,
    template_list.ENTRY,
    join_tokens.ENTRY,
    user_list.ENTRY,
    audit.ENTRY,
    subscription_list.ENTRY,
)
"""The entries of the navigation in their order."""
