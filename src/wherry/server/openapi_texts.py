"""The words of the OpenAPI document that stand in no struct: its introduction, tags, headers, and authentication."""

from collections.abc import Mapping, Sequence
from typing import Any

DESCRIPTION = """\
Wherry moves live servers to a new home. It speaks SMS v3, so clients of that protocol work with it; its own API stands
under `/wherry/v1`, and an IAM subset under `/v3/auth` and `/v3/projects`.

Times are epoch milliseconds, sizes bytes and rates Mbit/s unless a field says otherwise. Unknown fields are ignored and
null counts as absent. Every answer carries `X-Request-Id`. A refusal has a code, whose cause and fix are in the answer
and at `/errors/{code}`.
"""

TAGS: Sequence[tuple[str, str]] = (
    ("Sources", "Source servers, as their agents register them."),
    ("Commands", "What agents ask for and report."),
    ("Tasks", "Migrations: creating, acting on and following them."),
    ("Templates", "Templates of servers to be created."),
    ("Migration projects", "Groups of sources with common settings."),
    ("Service", "Settings of the service, the privacy agreement, and the versions of the API."),
    ("IAM", "Tokens, domains and projects, as clients of Keystone know them."),
    ("Receivers", "Where disks land, and how agents and receivers join."),
    ("Accounts", "Accounts, users, access keys, groups and policies, and why somebody was refused."),
    ("Target servers", "A target server in the words of ECS, as clients look it up."),
    ("Replication", "Figures, history and proofs of a task."),
    ("Audit", "Who changed what, whether the log of it is whole, and how states changed."),
    ("Landing", "What becomes of a landed system: rehearsals, the launch of the target, rolling it back."),
    ("Notifications", "Who is told of what happens, by webhook or e-mail, and what became of it."),
    ("Control plane", "What the control plane says of itself."),
    ("Other", "Everything else."),
)

_TAGS_BY_PATH: Sequence[tuple[str, str]] = (
    ("/v3/sources/{server_id}/", "Commands"),
    ("/v3/sources", "Sources"),
    ("/v3/errors", "Sources"),
    ("/v3/tasks", "Tasks"),
    ("/v3/{task_id}", "Tasks"),
    ("/v3/vm/templates", "Templates"),
    ("/v3/migprojects", "Migration projects"),
    ("/v3/auth", "IAM"),
    ("/v3.0/", "IAM"),
    ("/v3/projects", "IAM"),
    ("/v3/", "Service"),
    ("/{version}", "Service"),
    ("/v1/", "Target servers"),
    ("/wherry/v1/fleet", "Sources"),
    ("/wherry/v1/accounts", "Accounts"),
    ("/wherry/v1/users", "Accounts"),
    ("/wherry/v1/groups", "Accounts"),
    ("/wherry/v1/policies", "Accounts"),
    ("/wherry/v1/decode", "Accounts"),
    ("/wherry/v1/audit", "Audit"),
    ("/wherry/v1/events", "Audit"),
    ("/wherry/v1/receivers/{receiver_id}/orders", "Landing"),
    ("/wherry/v1/receivers", "Receivers"),
    ("/wherry/v1/rehearsals", "Landing"),
    ("/wherry/v1/tasks/{task_id}/landing", "Landing"),
    ("/wherry/v1/tasks/{task_id}/launch", "Landing"),
    ("/wherry/v1/tasks/{task_id}/rollback", "Landing"),
    ("/wherry/v1/tasks/{task_id}/recordings", "Landing"),
    ("/wherry/v1/tasks/{task_id}/console", "Landing"),
    ("/wherry/v1/tasks/{task_id}/screenshot", "Landing"),
    ("/wherry/v1/tasks/{task_id}/target-machine", "Landing"),
    ("/wherry/v1/tasks/{task_id}/rehearsal", "Landing"),
    ("/wherry/v1/subscriptions", "Notifications"),
    ("/wherry/v1/deliveries", "Notifications"),
    ("/wherry/v1/sources/{source_id}/target-machine", "Landing"),
    ("/wherry/v1/join", "Receivers"),
    ("/wherry/v1/agent", "Receivers"),
    ("/wherry/v1/tasks", "Replication"),
    ("/readyz", "Control plane"),
    ("/healthz", "Control plane"),
    ("/errors", "Control plane"),
    ("/openapi.json", "Control plane"),
)


def tag_of(path: str) -> str:
    """Return the tag under which the operations of *path* stand."""
    if path == "/":
        return "Service"
    return next((tag for prefix, tag in _TAGS_BY_PATH if path.startswith(prefix)), "Other")


SECURITY: Mapping[str, Any] = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "A token of `POST /v3/auth/tokens`, which comes in that answer's header `X-Subject-Token`.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": (
            "`SDK-HMAC-SHA256 Access=<access key>, SignedHeaders=<names>, Signature=<hex>` with the header "
            "`X-Sdk-Date` (`YYYYMMDDTHHMMSSZ`, within 15 minutes of the server's time). The signature is the "
            "HMAC-SHA256, by the secret key, of the algorithm's name, the date, and the SHA-256 of the canonical "
            "request: method, path with a slash at its end, sorted query, signed headers, their names, and the "
            "SHA-256 of the body. Bodies of 12 MB at most. `V11-HMAC-SHA256` is understood too."
        ),
    },
}

_WAIT = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`wait=30` waits up to 30 seconds (60 at most) for something new; else the answer comes at once.",
}
_LANGUAGE = {
    "name": "X-Language",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["en-us", "zh-cn"]},
    "description": "`zh-cn` gives Chinese headings, anything else English ones.",
}
_SUBJECT = {
    "name": "X-Subject-Token",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 16384},
    "description": "The token that is asked about.",
}
_NO_CATALOG = {
    "name": "nocatalog",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "Any text leaves the catalog out.",
}

_OPTIONAL_TOKEN = {
    "name": "X-Auth-Token",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 16384},
    "description": "The token, where the body has none.",
}

HEADERS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "ShowCommand": (_WAIT,),
    "ListAssignments": (_WAIT,),
    "ShowLanding": (_WAIT,),
    "ExportConsistencyResults": (_LANGUAGE,),
    "ShowToken": (_SUBJECT, _NO_CATALOG),
    "CreateToken": (_NO_CATALOG,),
    "RevokeToken": (_SUBJECT,),
    "CreateTemporaryKey": (_OPTIONAL_TOKEN,),
}
"""Parameters that stand in no struct, by operation."""

RESPONSE_HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {"description": "Names the request in the log.", "schema": {"type": "string"}},
    "X-Subject-Token": {"description": "The token itself.", "schema": {"type": "string"}},
}

_BINARY: Mapping[str, Any] = {}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

FILES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ExportConsistencyResults": {_XLSX: _BINARY, "text/csv": {"type": "string"}},
    "DownloadAgent": {"application/octet-stream": _BINARY},
    "ShowJoinScript": {"text/x-shellscript": {"type": "string"}},
    "DownloadLog": {"application/gzip": _BINARY},
    "ShowTargetConsole": {"text/plain": {"type": "string"}},
    "ShowTargetScreenshot": {"image/png": _BINARY},
    "ShowRehearsalConsole": {"text/plain": {"type": "string"}},
    "ShowRehearsalScreenshot": {"image/png": _BINARY},
    "ShowOpenApi": {"application/json": {"type": "object"}},
}
"""Answers that are no struct: schemas by their media types, by operation."""
