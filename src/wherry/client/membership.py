"""How a program belongs to a control plane: it joins once, keeps its key in a folder of its own, and calls with it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wherry.client.control_plane import ControlPlane, join
from wherry.client.identity import Identity, IdentityFile, ensure_identity
from wherry.client.retrying import RetryPolicy
from wherry.client.state_folder import own_folder
from wherry.contract.enumerations import JoinRole


@dataclass(frozen=True, slots=True)
class Membership:
    """What an agent or a receiver is told of its control plane. The command line shows these texts.

    Attributes:
        server: Address of the control plane, such as https://wherry.example:8443.
        state: Folder of the program's credentials and notes; it's made when it's missing.
        ca_file: PEM file of the control plane's CA; not needed once the program has joined.
        token_file: File with a one-time join token of the program's role; not needed once the program has joined.
        name: Name in the control plane; the host's name by default.
    """

    server: str
    state: Path
    ca_file: Path | None = None
    token_file: Path | None = None
    name: str = ""

    @property
    def shown_name(self) -> str:
        """The name under which the program joins."""
        return self.name or os.uname().nodename[:64] or "localhost"


@dataclass(frozen=True, slots=True)
class Member:
    """A program that has joined. *control_plane* makes one attempt a call: see `wherry.client.patience`."""

    control_plane: ControlPlane
    identity: Identity
    identity_file: IdentityFile


@contextmanager
def joined(membership: Membership, role: JoinRole, stop: threading.Event) -> Iterator[Member]:
    """Hold the state folder, join unless that was done before, and be a member until the block is left.

    Raises FolderUnusable, FolderBusy, and what `ensure_identity` and `join` raise.
    """
    with own_folder(membership.state):
        file = IdentityFile(membership.state)
        identity = ensure_identity(
            file,
            role,
            membership.token_file,
            lambda token: join(
                membership.server, membership.ca_file, token, membership.shown_name, policy=RetryPolicy(stop=stop)
            ),
        )
        with ControlPlane(
            membership.server,
            identity.access_key,
            identity.secret_key,
            file.ca_file or membership.ca_file,
            policy=RetryPolicy(budget_s=0, stop=stop),
        ) as control_plane:
            yield Member(control_plane, identity, file)
