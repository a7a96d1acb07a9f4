"""Which refusals an operation may answer, for the OpenAPI document: the envelope, or Keystone's for the IAM subset."""

from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from wherry.contract.catalogue import CATALOGUE
from wherry.iam.keystone import error_body
from wherry.server.route import ErrorShape, Route

# Name of the shared response, what it means, and a code that often comes with it.
_KINDS: Mapping[int, tuple[str, str, str]] = {
    400: ("BadRequest", "The request, or the state it meets, doesn't allow this.", "SMS.9001"),
    401: ("Unauthorized", "Who calls is not proven.", "APIGW.0301"),
    403: ("Forbidden", "The caller may not do this.", "SMS.9004"),
    404: ("NotFound", "What the request names does not exist in the caller's account.", "SMS.7602"),
    409: ("Conflict", "It contradicts what is stored.", "WHERRY.5507"),
    413: ("TooLarge", "The body is larger than the limit.", "APIGW.0201"),
    414: ("UriTooLong", "Path and query are longer than 32 K.", "APIGW.0201"),
    500: ("Fault", "A fault of the control plane; its log tells more.", "APIGW.0201"),
    503: ("ShuttingDown", "The control plane is shutting down.", "WHERRY.5509"),
}
_PROVEN_BY_THE_BODY = frozenset({"CreateToken", "Join", "CreateTemporaryKey"})
"""Anonymous operations that a 401 may answer all the same: what they're sent proves who calls."""

_CONFLICTS = frozenset(
    {
        *("RegisterServer", "SubmitSourceHalf", "SubmitReceiverHalf", "ShowProof", "StoreLog"),
        *("UpdateCopyState", "UpdateTaskSpeed", "OrderRehearsal"),
        *("CreateAccount", "CreateUser", "UpdateUser", "DeleteUser", "CreateAccessKey"),
        *("CreateGroup", "CreatePolicy", "UpdatePolicy", "DeletePolicy"),
        *("CreateSubscription", "RepeatDelivery"),
    }
)
_NAMED_ELSEWHERE = frozenset({"ShowToken", "RevokeToken", "DownloadAgent", "ShowJoinScript"})
"""Operations whose object neither path nor body names: a header does, or the settings of the control plane do."""


def refusals(route: Route, *, has_body: bool) -> dict[str, Any]:
    """Return the responses of an operation that are refusals, by status."""
    statuses = {400, 414, 500, 503}
    if not route.anonymous:
        statuses |= {401, 403}
    elif route.operation in _PROVEN_BY_THE_BODY:
        statuses.add(401)
    if route.parameter_names or has_body or route.operation in _NAMED_ELSEWHERE:
        statuses.add(404)
    if route.operation in _CONFLICTS:
        statuses.add(409)
    if has_body:
        statuses.add(413)
    prefix = "Keystone" if route.errors is ErrorShape.KEYSTONE else ""
    return {str(status): _reference(prefix + _KINDS[status][0]) for status in sorted(statuses)}


def shared_refusals() -> dict[str, Any]:
    """Return the refusals that operations refer to, in both shapes."""
    found = {}
    for status, (name, text, code) in _KINDS.items():
        entry = CATALOGUE[code]
        example: dict[str, Any] = {
            "error_code": code,
            "error_msg": entry.message,
            "cause": entry.cause,
            "fix": entry.fix,
        }
        if status == 403:
            detail = {"error_code": code, "error_msg": entry.message}
            example |= {
                "encoded_authorization_message": "gAAAAAB...",
                "error_param": [entry.message],
                "details": [detail],
            }
        found[name] = _response(text, "ErrorEnvelope", example)
        if status != 409:  # nothing of the IAM subset contradicts anything
            keystone = to_builtins(error_body(status, entry.message))
            found[f"Keystone{name}"] = _response(text, "KeystoneError", keystone)
    return dict(sorted(found.items()))


def _response(text: str, schema: str, example: object) -> dict[str, Any]:
    return {
        "description": text,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}},
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{name}"}
