"""Refusals as clients see them: the SMS envelope, the 403 with its encoded message, the gateway's, and Keystone's."""

from collections.abc import Mapping

from wherry.contract.envelope import MAX_ERROR_MSG, MAX_FORBIDDEN_MSG, ErrorDetail, ErrorEnvelope
from wherry.contract.errors import ApiError
from wherry.errors import WherryError
from wherry.iam.keystone import error_body
from wherry.iam.refusals import PermissionMissing, RefusalCodec
from wherry.ledger.errors import LedgerAway, LedgerClosed, ValueRefused
from wherry.server.answers import Answer, json_answer
from wherry.server.route import ErrorShape

_MAX_PARAMS = 20
_GATEWAY = "APIGW."


def refuse(error: WherryError, request_id: str, codec: RefusalCodec, shape: ErrorShape) -> Answer:
    """Return the answer that says why a request was refused or failed."""
    if isinstance(error, LedgerClosed):
        error = ApiError("WHERRY.5509")
    elif isinstance(error, ValueRefused):
        error = ApiError("SMS.9001", error.message, status=400)
    status = error.status if isinstance(error, ApiError) else 503 if isinstance(error, LedgerAway) else 500
    headers = _headers(status)
    if shape is ErrorShape.KEYSTONE:
        return json_answer(error_body(status, _shorten(error.message, MAX_ERROR_MSG)), status=status, headers=headers)
    if status == 403 and isinstance(error, ApiError) and not error.code.startswith(_GATEWAY):
        envelope = _forbidden(error, codec)
    else:
        envelope = ErrorEnvelope(
            error_code=error.code,
            error_msg=_shorten(error.message, MAX_ERROR_MSG),
            request_id=request_id if error.code.startswith(_GATEWAY) else None,
            cause=error.cause,
            fix=error.fix,
        )
    return json_answer(envelope, status=status, headers=headers)


def internal_error() -> WherryError:
    """Return the error of a request that ran into a fault of the control plane; the log has the rest."""
    return ApiError("APIGW.0201", "an unexpected error of the control plane; its log tells more", status=500)


def _forbidden(error: ApiError, codec: RefusalCodec) -> ErrorEnvelope:
    params = [_shorten(text, MAX_ERROR_MSG) for text in error.params[:_MAX_PARAMS]] or [error.message]
    return ErrorEnvelope(
        error_code=error.code,
        error_msg=_shorten(error.message, MAX_FORBIDDEN_MSG),
        encoded_authorization_message=codec.encode(error.refusal) if isinstance(error, PermissionMissing) else "",
        error_param=params,
        details=[ErrorDetail(error_code=error.code, error_msg=text) for text in params],
        cause=error.cause,
        fix=error.fix,
    )


def _headers(status: int) -> Mapping[str, str]:
    return {"retry-after": "5"} if status == 503 else {}


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
