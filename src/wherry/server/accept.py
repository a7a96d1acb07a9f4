"""Which of several forms of an answer a client wants most: the header Accept. Source: RFC 9110, 12.5.1."""

from collections.abc import Sequence

_MAX_ACCEPT = 4096


def preferred(headers: Sequence[tuple[bytes, bytes]], offers: Sequence[str]) -> str:
    """Return the one of *offers* (media types, the server's favourite first) that the client likes best.

    The favourite too where the client says nothing, says what can't be read, or wants none of them: an answer in
    another form helps more than none.
    """
    ranges = _ranges(headers)
    if not ranges:
        return offers[0]
    return max(offers, key=lambda offer: _quality(offer, ranges))  # the first of equals


def _ranges(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, float]:
    text = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept")[:_MAX_ACCEPT]
    ranges = {}
    for piece in text.lower().split(","):
        media, *parameters = (part.strip() for part in piece.split(";"))
        if "/" in media:
            ranges[media] = next((_weight(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
    return ranges


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _quality(offer: str, ranges: dict[str, float]) -> float:
    """Return the weight of the range that fits *offer* most closely."""
    group = offer.partition("/")[0]
    return next((ranges[media] for media in (offer, f"{group}/*", "*/*") if media in ranges), 0.0)
