"""Reading a query string."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from wherry.contract.errors import ApiError

_MAX_PARAMETERS = 100


def parse_query(raw: bytes) -> Mapping[str, str]:
    """Return the parameters of a query string; of one that comes twice the last counts, one without value is empty.

    Raises ApiError SMS.9001 for more than 100 parameters, and for what isn't UTF-8.
    """
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise ApiError("SMS.9001", "the query string is not UTF-8, or holds more than 100 parameters") from error
    return dict(pairs)
