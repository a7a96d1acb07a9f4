"""The control plane as an object: its operations by name, typed with the structs of the contract.

Synchronous and safe to use from several threads. Every method raises ControlPlaneError for a refusal,
ControlPlaneUnreachable where no answer came within the retry budget, and AnswerUnreadable for an answer that isn't one.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from wherry.client.resources.access import AccessOperations
from wherry.client.resources.identity import IdentityOperations
from wherry.client.resources.landings import LandingOperations
from wherry.client.resources.notifications import NotificationOperations
from wherry.client.resources.oversight import OversightOperations
from wherry.client.resources.projects import ProjectOperations
from wherry.client.resources.receivers import ReceiverOperations
from wherry.client.resources.replication import ReplicationOperations
from wherry.client.resources.sources import SourceOperations
from wherry.client.resources.tasks import TaskOperations
from wherry.client.resources.templates import TemplateOperations
from wherry.client.retrying import RetryPolicy
from wherry.client.transport import Call, Credentials, Transport, path_of
from wherry.contract import wherry


class ControlPlane(
    SourceOperations,
    TaskOperations,
    ReceiverOperations,
    ReplicationOperations,
    LandingOperations,
    TemplateOperations,
    ProjectOperations,
    AccessOperations,
    IdentityOperations,
    OversightOperations,
    NotificationOperations,
):
    """A control plane, called with an access key.

    Args:
        endpoint: such as ``https://host:8443``.
        access_key: the id of the key; empty for calls without authentication.
        secret_key: its secret.
        ca_file: PEM of the only authority to be trusted; None trusts the system's.
        policy: how long to try again; its `stop` event ends every wait.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        ca_file: Path | None = None,
        *,
        policy: RetryPolicy | None = None,
    ) -> None:
        credentials = Credentials(access_key, secret_key) if access_key else None
        super().__init__(Transport(endpoint, credentials, ca_file, RetryPolicy() if policy is None else policy))

    @property
    def endpoint(self) -> str:
        """The address, without a slash at its end."""
        return self._transport.endpoint

    def now(self) -> float:
        """Return what time it is at the control plane, in epoch seconds, as far as it has told."""
        return self._transport.now()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ready(self) -> None:
        """Return when the control plane says that it's ready."""
        self._send(Call(method="GET", path="/readyz"))


def join(
    endpoint: str, ca_file: Path | None, token: str, name: str, *, policy: RetryPolicy | None = None
) -> wherry.Joined:
    """Trade a one-time token for a key under *name*.

    Raises what every call raises. A token that was used already is refused with 401, so a join whose answer was lost
    can't be repeated: it needs a new token.
    """
    with ControlPlane(endpoint, "", "", ca_file, policy=policy) as control_plane:
        request = wherry.JoinRequest(token=token, name=name)
        path = path_of("wherry", "v1", "join")
        return control_plane._post("Join", path, request, wherry.Joined, repeatable=False)  # noqa: SLF001 (one module)
