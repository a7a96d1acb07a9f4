"""Receivers, what lands on them, and how agents and receivers join."""

from wherry.client.calling import LONG_POLL_S, Caller
from wherry.client.transport import Call, path_of
from wherry.contract import landing, wherry
from wherry.contract.enumerations import JoinRole


class ReceiverOperations(Caller):
    """Receivers, what lands on them, and how agents and receivers join."""

    def create_join_token(self, role: str, *, expires_s: int = 3600) -> wherry.JoinToken:
        """Return a new one-time token for an agent or a receiver."""
        request = wherry.JoinTokenRequest(role=JoinRole(role), expires_s=expires_s)
        path = path_of("wherry", "v1", "join-tokens")
        return self._post("CreateJoinToken", path, request, wherry.JoinToken)

    def list_join_tokens(self, **filters: object) -> wherry.JoinTokenList:
        """Return what became of the account's join tokens; *filters* are the operation's query parameters."""
        return self._get("ListJoinTokens", path_of("wherry", "v1", "join-tokens"), wherry.JoinTokenList, filters)

    def delete_join_token(self, token_id: str) -> None:
        """Remove a join token that nobody has used."""
        self._delete(path_of("wherry", "v1", "join-tokens", token_id))

    def join_script(self) -> bytes:
        """Return the script that installs the agent on a server."""
        return self._send(Call(method="GET", path=path_of("wherry", "v1", "join-script")))

    def update_receiver(self, receiver_id: str, announcement: wherry.ReceiverAnnouncement) -> None:
        """Announce a receiver, or say that it's still there."""
        self._put(path_of("wherry", "v1", "receivers", receiver_id), announcement)

    def list_receivers(self) -> wherry.ReceiverList:
        """Return the account's receivers."""
        return self._get("ListReceivers", path_of("wherry", "v1", "receivers"), wherry.ReceiverList)

    def list_assignments(
        self, receiver_id: str, *, known: int | None = None, wait_s: float = LONG_POLL_S
    ) -> wherry.Assignments:
        """Return the tasks that land on a receiver; waits up to *wait_s* while the version is still *known*."""
        path = path_of("wherry", "v1", "receivers", receiver_id, "assignments")
        return self._get("ListAssignments", path, wherry.Assignments, {"known": known}, wait_s=wait_s)

    def show_route(self, task_id: str) -> wherry.Route:
        """Return where the task's blocks go; assigns a receiver when none is assigned yet."""
        return self._get("ShowRoute", path_of("wherry", "v1", "tasks", task_id, "route"), wherry.Route)

    def update_order(self, receiver_id: str, order_id: str, report: landing.OrderReport) -> None:
        """Report how far a receiver is with an order. Repeating it is harmless."""
        self._put(path_of("wherry", "v1", "receivers", receiver_id, "orders", order_id), report)
