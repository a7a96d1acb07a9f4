"""The versions of the API, and whether the control plane is ready. Answered without authentication."""

from wherry.contract.errors import ApiError
from wherry.contract.versions import Link, Version, VersionList
from wherry.ledger import credentials
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call

_ID = "v3"
_UPDATED = "2020-09-02T17:50:00Z"


async def list_api_version(call: Call) -> Answer:
    """Return the versions of the API."""
    return json_answer(VersionList(versions=[_version(call)]))


async def show_api_version(call: Call) -> Answer:
    """Return one version of the API."""
    if call.parameters["version"] != _ID:
        raise ApiError("APIGW.0101", f"GET /{call.parameters['version'][:64]}")
    return json_answer(_version(call))


async def ready(call: Call) -> Answer:
    """Tell that requests are answered; not while shutting down, nor while the ledger can't be read."""
    if call.services.waiters.closed:
        raise ApiError("WHERRY.5509")
    await call.services.ledger.read(credentials.any_sealed_secret)
    return json_answer({"ready": True})


async def health(_call: Call) -> Answer:
    """Tell that the process lives."""
    return json_answer({"healthy": True})


def _version(call: Call) -> Version:
    link = Link(href=f"{call.services.endpoint}/{_ID}", rel="self")
    return Version(id=_ID, links=[link], status="SUPPORTED", updated=_UPDATED)
