"""Reading the encoded message of a 403: POST /wherry/v1/decode-authorization-message."""

import msgspec

from wherry.contract.accounts import DecodedMessage, EncodedMessage
from wherry.contract.errors import ApiError
from wherry.iam.refusals import DecodedRefusal, MessageUnreadable
from wherry.server.access import allow
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call


async def decode_refusal(call: Call) -> Answer:
    """Return why somebody of the caller's account was refused, as a text that holds JSON."""
    allow(call)
    message = call.decode(EncodedMessage).encoded_message
    try:
        decoded = call.services.refusals.decode(message)
    except MessageUnreadable:
        raise ApiError("WHERRY.5810", params=("encoded_message",)) from None
    if decoded.refusal.domain_id != call.account_id:
        raise ApiError("WHERRY.5810", params=("encoded_message",))
    return json_answer(DecodedMessage(decoded_message=_text(decoded)))


def _text(decoded: DecodedRefusal) -> str:
    refusal = decoded.refusal
    document = {
        "allowed": False,
        "action": refusal.action,
        "resource": refusal.resource,
        "principal": {
            "kind": refusal.principal_kind,
            "id": refusal.principal_id,
            "name": refusal.principal_name,
            "domain_id": refusal.domain_id,
        },
        "reason": refusal.reason,
        "at": decoded.at,
    }
    return msgspec.json.encode(document).decode()
