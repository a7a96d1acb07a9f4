"""A request on its way through a handler."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from wherry.contract.decoding import decode, decode_query
from wherry.iam.principals import Principal
from wherry.ledger.audit import Entry
from wherry.ledger.transaction import Transaction
from wherry.server.query import parse_query
from wherry.server.route import Route
from wherry.server.services import Services

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True):
    """One authenticated request.

    Attributes:
        parameters: the values of the path's parameters.
        raw_query: the query as it came.
        headers: names in lower case.
        request_id: what X-Request-Id of the answer says.
        at: when it came, epoch milliseconds.
        peer: the address that it came from; empty where that isn't known.
        use: tells other processes that its signature is used; empty where there are none.
    """

    services: Services
    route: Route
    caller: Principal | None
    parameters: Mapping[str, str]
    raw_query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    request_id: str
    at: int
    peer: str = ""
    use: str = ""

    @property
    def principal(self) -> Principal:
        """Who calls. Only anonymous routes have nobody here."""
        if self.caller is None:
            message = f"{self.route.operation} is anonymous"
            raise RuntimeError(message)
        return self.caller

    @property
    def account_id(self) -> str:
        """The account that everything in this call belongs to."""
        return self.principal.domain_id

    def decode(self, type_: type[T]) -> T:
        """Return the body as a *type_*. Raises ApiError SMS.9001."""
        return decode(self.body, type_)

    def query(self, type_: type[T]) -> T:
        """Return the query's parameters as a *type_*. Raises ApiError SMS.9001."""
        return decode_query(parse_query(self.raw_query), type_)

    def record(self, tx: Transaction, resource_id: str, detail: str = "") -> None:
        """Write the call into the audit log, as a part of what it changes. No secrets in *detail*."""
        name, who = self.route.audit, self.principal
        if name is None:
            message = f"{self.route.operation} has no audit name"
            raise RuntimeError(message)
        if self.use:
            tx.topics.add(self.use)
        tx.record(
            Entry(
                at=self.at,
                account_id=who.domain_id,
                caller_kind=who.kind,
                caller_id=who.user_id,
                caller_name=who.user_name,
                access_key=who.access_key,
                resource_type=name.resource_type,
                event=name.event,
                resource_id=resource_id,
                request_id=self.request_id,
                detail=detail,
            )
        )
