"""`wherry login`: a name and a password become an access key, kept as a profile."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wherry.cli.asking import PATIENCE_S
from wherry.cli.confirming import SecretFile, read_secret
from wherry.cli.errors import ValueUnreadable
from wherry.cli.profile import read_ca
from wherry.cli.profiles import Profile, own_profiles
from wherry.client.login import SignIn, make_own_key
from wherry.client.retrying import RetryPolicy

_SCHEMES: Final = ("http", "https")


def login(
    endpoint: str,
    /,
    *,
    name: str = "",
    user: str = "admin",
    account: str = "default",
    password_file: SecretFile = None,
    ca_file: Path | None = None,
) -> None:
    """Sign in to a control plane by name and password, and keep an access key for it as a profile.

    The password is asked for, and not kept. `wherry profile list` shows what is kept; a control plane whose users are
    those of an OpenStack Keystone gives no access keys.

    Parameters
    ----------
    endpoint:
        Address of the control plane, such as https://wherry.example:8443.
    name:
        Name of the profile; by default the host's. One of the same name is replaced.
    user:
        Your name there.
    account:
        Your account (domain) there.
    password_file:
        File with the password as its first line, - for standard input; without it you are asked.
    ca_file:
        PEM file of the control plane's CA; it's copied. Without it the system's authorities are trusted.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueUnreadable(text=endpoint, what="the URL of a control plane", example="https://wherry.example:8443")
    profiles = own_profiles()
    kept_as = profiles.check_name(name or parts.hostname)
    ca = read_ca(ca_file)
    password = read_secret("password", password_file, option="--password-file")
    made = make_own_key(
        endpoint,
        ca_file,
        SignIn(user, account, password),
        f"wherry login on {os.uname().nodename}"[:255],
        RetryPolicy(budget_s=PATIENCE_S),
    )
    profiles.store(
        kept_as, Profile(endpoint=endpoint.rstrip("/"), access_key=made.access_key, secret_key=made.secret_key), ca
    )
    profiles.use(kept_as)
    print(f"Signed in as {user}; the profile {kept_as} is the current one.")
