"""The error catalogue as `GET /errors` shows it, and the answers of the probes."""

from wherry.contract.values import Wire


class Explanation(Wire, frozen=True, kw_only=True):
    """Answer of GET /errors/{code}: what a code means, why it comes, and what to do about it.

    `status` is the HTTP status when the code answers a request; what only programs say has none.
    """

    code: str
    message: str
    cause: str
    fix: str
    status: int | None = None


class Explanations(Wire, frozen=True, kw_only=True):
    """Answer of GET /errors: every code that Wherry may show."""

    count: int
    errors: list[Explanation]


class Readiness(Wire, frozen=True, kw_only=True):
    """Answer of GET /readyz. While shutting down the answer is a 503 instead."""

    ready: bool


class Liveness(Wire, frozen=True, kw_only=True):
    """Answer of GET /healthz."""

    healthy: bool
