"""Versions of the API, as `GET /` and `GET /v3` tell them."""

from wherry.contract.values import Wire


class Link(Wire, frozen=True, kw_only=True):
    """Where a version lives."""

    href: str
    rel: str


class Version(Wire, frozen=True, kw_only=True):
    """One version of the API. `updated` as ISO 8601 in UTC."""

    id: str
    links: list[Link]
    status: str
    updated: str


class VersionList(Wire, frozen=True, kw_only=True):
    """Answer of ListApiVersion."""

    versions: list[Version]
