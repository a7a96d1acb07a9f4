"""The pages of the console, one module a subject. A new module is named here, and nowhere else."""

from collections.abc import Mapping, Sequence

from wherry.console import signing_in
from wherry.console.live import Live
from wherry.console.navigation import Entry
from wherry.console.pages import overview, source_detail, source_list
from wherry.console.visit import Page

PAGES: Sequence[Page] = (*signing_in.PAGES, *source_list.PAGES, *source_detail.PAGES)
"""Every page but the overview, which stands at ``/``."""

LIVE: Mapping[str, Live] = {**overview.LIVE, **source_list.LIVE, **source_detail.LIVE}
"""The live pages, by what stands behind ``/console/live/``."""

NAVIGATION: Sequence[Entry] = (overview.ENTRY, source_list.ENTRY)
"""The entries of the navigation in their order."""
