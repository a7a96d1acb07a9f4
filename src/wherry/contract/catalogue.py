"""The one catalogue of errors: code, message, cause and fix, and the status of those that travel over HTTP.

The SMS and gateway codes and their meaning are those of the protocol reference, in words of our own; WHERRY codes are
for what the protocol has no code for. A catalogue entry may be shown in an answer, in a task's error_json, or in an
environment check.
"""

from collections.abc import Mapping
from types import MappingProxyType

from wherry.contract import (
    catalogue_access,
    catalogue_gateway,
    catalogue_programs,
    catalogue_service,
    catalogue_source,
    catalogue_target,
    catalogue_wherry,
)
from wherry.contract.error_entry import ErrorEntry, ProgramEntry

CATALOGUE: Mapping[str, ErrorEntry] = MappingProxyType(
    {
        entry.code: entry
        for entry in (
            *catalogue_gateway.ENTRIES,
            *catalogue_source.ENTRIES,
            *catalogue_target.ENTRIES,
            *catalogue_service.ENTRIES,
            *catalogue_wherry.ENTRIES,
            *catalogue_access.ENTRIES,
        )
    }
)
"""Every code that travels over HTTP, by code."""

EVERY_ENTRY: Mapping[str, ErrorEntry | ProgramEntry] = MappingProxyType(
    {**CATALOGUE, **{entry.code: entry for entry in catalogue_programs.ENTRIES}}
)
"""Every code that Wherry may show anywhere, by code."""
