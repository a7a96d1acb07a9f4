"""What a server that is to be moved fetches: the agent, and the script that installs it there.

Both are handed out without authentication: they hold no secret. The script names the digest of the agent and the CA, so
that whoever knows the script's digest, from the command that an operator pastes, needs to trust nothing on the way.
"""

import hashlib
from importlib.resources import files
from typing import Final

from wherry.contract.errors import ApiError
from wherry.server.agent_bundle import AgentBundle
from wherry.server.answers import Answer, StreamedAnswer
from wherry.server.call import Call

_NAME: Final = "wherry-agent-x86_64"
_BINARY: Final = "application/octet-stream"
_SCRIPT: Final = "text/x-shellscript; charset=utf-8"
_NO_CA: Final = "-"
"""What stands in the script for the CA where the control plane is served without TLS of its own."""


async def download_agent(call: Call) -> Answer:
    """Return the agent as one file that runs on any x86-64 Linux. The ETag is its SHA-256."""
    bundle = _bundle(call)
    headers = {**_headers(bundle.digest), "content-disposition": f'attachment; filename="{_NAME}"'}
    return StreamedAnswer(b"", 200, _BINARY, headers, size=bundle.size, pieces=bundle.pieces)


async def show_join_script(call: Call) -> Answer:
    """Return the script that installs the agent on a server and starts it. The ETag is its SHA-256.

    Run it as root by `sh SCRIPT URL`, with the URL of the control plane and a join token on standard input.
    """
    services = call.services
    text = join_script(_bundle(call).digest, services.authority.certificate_pem if services.tls else _NO_CA)
    return Answer(text, 200, _SCRIPT, _headers(hashlib.sha256(text).hexdigest()))


def join_script(agent_digest: str, ca: str) -> bytes:
    """Return the script for the agent with *agent_digest* and a control plane of the authority *ca* (PEM text)."""
    text = files("wherry.server").joinpath("join-script.sh").read_text()
    return text.replace("@AGENT_DIGEST@", agent_digest).replace("@CA@", ca.strip()).encode()


def _bundle(call: Call) -> AgentBundle:
    bundle = call.services.agent
    if bundle is None:
        raise ApiError("WHERRY.5512")
    return bundle


def _headers(digest: str) -> dict[str, str]:
    return {"etag": f'"{digest}"', "cache-control": "no-cache", "x-content-type-options": "nosniff"}
