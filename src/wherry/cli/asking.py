"""Which control plane a command asks, as whom, and how it tells the answer."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Group, Parameter

from wherry.cli.errors import ControlPlaneUnnamed, EnvironmentIncomplete, FileUnreadable, OptionsExclude
from wherry.cli.profiles import Profiles, own_profiles
from wherry.client.control_plane import ControlPlane
from wherry.client.retrying import RetryPolicy
from wherry.contract.installation import read_admin_file

PATIENCE_S: Final = 5.0
"""How long a command goes on trying to reach the control plane, in seconds."""

_GROUP: Final = Group("Control plane", sort_key=99)


class Access(NamedTuple):
    """How a control plane is reached. *source* says in words who named it."""

    endpoint: str
    access_key: str
    secret_key: str
    ca_file: Path | None
    source: str

    def __repr__(self) -> str:
        return f"Access(endpoint={self.endpoint!r}, source={self.source!r})"

    def open(self, patience_s: float) -> ControlPlane:
        """Return the control plane, to be closed by the caller. Calls are tried again for *patience_s* seconds."""
        policy = RetryPolicy(budget_s=patience_s)
        return ControlPlane(self.endpoint, self.access_key, self.secret_key, self.ca_file, policy=policy)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True)
class Asking:
    """Which control plane is asked, and how the answer is told."""

    profile: str = ""
    """Profile to use; by default what WHERRY_PROFILE says, else the one of `wherry profile use`."""

    admin_file: Path | None = None
    """The admin.json in the data folder of the control plane, instead of a profile."""

    json: Annotated[bool, Parameter(negative="")] = False
    """Print JSON: what the API answers."""

    def access(self) -> Access:
        """Return how the control plane is reached. Raises what `choose` raises."""
        return choose(self.profile, self.admin_file, os.environ, own_profiles())

    def connect(self, patience_s: float | None = None) -> ControlPlane:
        """Return the control plane, to be closed by the caller. Raises what `choose` raises, and TrustMissing.

        Calls are tried again for *patience_s* seconds, PATIENCE_S unless said.
        """
        return self.access().open(PATIENCE_S if patience_s is None else patience_s)


USUAL: Final = Asking()


def choose(profile: str, admin_file: Path | None, environment: Mapping[str, str], profiles: Profiles) -> Access:
    """Return which control plane is meant.

    The options come first, then WHERRY_ENDPOINT with its key, then WHERRY_PROFILE, then the current profile. Raises
    OptionsExclude, FileUnreadable, EnvironmentIncomplete, ProfileUnknown, ProfileNameRefused, ControlPlaneUnnamed.
    """
    if profile and admin_file:
        raise OptionsExclude(first="--profile", second="--admin-file")
    if admin_file:
        return _of_admin_file(admin_file)
    if not profile and environment.get("WHERRY_ENDPOINT"):
        return _of_environment(environment)
    name = profile or environment.get("WHERRY_PROFILE", "") or profiles.current()
    if not name:
        raise ControlPlaneUnnamed
    known = profiles.load(name)
    return Access(known.endpoint, known.access_key, known.secret_key, profiles.ca_file(name), f"the profile {name}")


def _of_admin_file(path: Path) -> Access:
    try:
        admin = read_admin_file(path)
    except (OSError, ValueError) as error:
        raise FileUnreadable(path=path, what="an admin file", reason=str(error)) from error
    ca_file = Path(admin.ca_file) if admin.ca_file else None
    return Access(admin.endpoint, admin.access_key, admin.secret_key, ca_file, str(path))


def _of_environment(environment: Mapping[str, str]) -> Access:
    for name in ("WHERRY_ACCESS_KEY", "WHERRY_SECRET_KEY"):
        if not environment.get(name):
            raise EnvironmentIncomplete(missing=name)
    ca_file = environment.get("WHERRY_CA_FILE", "")
    return Access(
        environment["WHERRY_ENDPOINT"],
        environment["WHERRY_ACCESS_KEY"],
        environment["WHERRY_SECRET_KEY"],
        Path(ca_file) if ca_file else None,
        "the environment",
    )
