"""`wherry profile`: the control planes that a person works with."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import App, Parameter

from wherry.cli.confirming import SecretFile, Yes, confirm, read_secret
from wherry.cli.errors import FileUnreadable
from wherry.cli.output import Column, show, table
from wherry.cli.profiles import Profile, own_profiles

app = App(name="profile")

Json = Annotated[bool, Parameter(negative="")]


class Line(msgspec.Struct, frozen=True):
    """A profile as it's shown: without its secret."""

    name: str
    current: bool
    endpoint: str
    access_key: str
    own_ca: bool


_COLUMNS: Final = (
    Column[Line]("", lambda each: "*" if each.current else ""),
    Column[Line]("name", lambda each: each.name),
    Column[Line]("endpoint", lambda each: each.endpoint),
    Column[Line]("access key", lambda each: each.access_key),
    Column[Line]("CA of its own", lambda each: each.own_ca),
)


@app.command(name="list")
def list_profiles(*, json: Json = False) -> None:
    """List the profiles; the current one has a star.

    Parameters
    ----------
    json:
        Print JSON.
    """
    profiles = own_profiles()
    current = profiles.current()
    lines = []
    for name in profiles.names():
        known = profiles.load(name)
        own_ca = profiles.ca_file(name) is not None
        lines.append(Line(name, name == current, known.endpoint, known.access_key, own_ca))
    show(lines, table(_COLUMNS, lines), json=json)


@app.command
def add(
    name: str, /, *, endpoint: str, access_key: str, secret_key_file: SecretFile = None, ca_file: Path | None = None
) -> None:
    """Keep a control plane with an access key that you have already. The secret is asked for.

    Parameters
    ----------
    name:
        Name of the profile; one of the same name is replaced.
    endpoint:
        Address of the control plane, such as https://wherry.example:8443.
    access_key:
        Id of the access key.
    secret_key_file:
        File with the secret as its first line, - for standard input; without it you are asked.
    ca_file:
        PEM file of the control plane's CA; it's copied. Without it the system's authorities are trusted.
    """
    profiles = own_profiles()
    profiles.check_name(name)
    ca = read_ca(ca_file)
    secret = read_secret("secret key", secret_key_file, option="--secret-key-file")
    profiles.store(name, Profile(endpoint=endpoint.rstrip("/"), access_key=access_key, secret_key=secret), ca)


@app.command
def use(name: str, /) -> None:
    """Make a profile the one that commands are for.

    Parameters
    ----------
    name:
        Name of the profile.
    """
    own_profiles().use(name)


@app.command
def remove(name: str, /, *, yes: Yes = False) -> None:
    """Forget a profile. Its access key stays valid: `wherry key delete` ends it.

    Parameters
    ----------
    name:
        Name of the profile.
    yes:
        Don't ask.
    """
    profiles = own_profiles()
    profiles.load(name)
    confirm("Forgetting the profile", [name], yes=yes)
    profiles.remove(name)


def read_ca(path: Path | None) -> str:
    """Return the PEM in *path*; empty without one. Raises FileUnreadable."""
    if path is None:
        return ""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(path=path, what="a CA certificate", reason=str(error)) from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise FileUnreadable(path=path, what="a CA certificate", reason="it holds no PEM certificate")
    return text
