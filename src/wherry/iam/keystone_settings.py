"""The settings of the OpenStack Keystone back end, from a TOML file (`wherry serve --keystone FILE`).

url = "https://keystone.example.org:5000"    # with or without /v3
ca_file = "/etc/wherry/keystone-ca.pem"      # without it the system's CAs count
account = "project"                          # or "domain": what of a token's scope is the account (ADR 0007)
remember_s = 30                              # how long a validated token isn't asked about again

[service]                                    # the user as whom tokens are validated; role "service" or "admin"
user = "wherry"
password = "..."
user_domain = "Default"
project = "service"
project_domain = "Default"

[roles]                                      # role of Keystone = system policy of SMS
admin = "administrator"
member = "SMS FullAccess"
reader = "SMS ReadOnlyAccess"
"""

import ssl
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from wherry.errors import WherryError
from wherry.iam.permissions import SYSTEM_POLICIES
from wherry.iam.policies import Policy

DEFAULT_ROLES: Final = {"admin": "administrator", "member": "SMS FullAccess", "reader": "SMS ReadOnlyAccess"}
_LONGEST_MEMORY_S: Final = 300

Filled = Annotated[str, Meta(min_length=1, max_length=255)]


class KeystoneSettingsUnusable(WherryError):
    """The settings file can't be read, or says something that can't be."""

    code = "WHERRY.5108"
    template = "The Keystone settings in {path} cannot be used: {reason}."
    default_cause = "The file is missing, isn't TOML, or has a key that is unknown, missing or of another type."
    default_fix = "Compare it with the example in the documentation, OpenStack Keystone."


class AccountIs(StrEnum):
    """What of a token's scope is the account that everything belongs to."""

    PROJECT = "project"
    DOMAIN = "domain"


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user as whom the control plane asks Keystone. The domains are names."""

    user: Filled
    password: Annotated[str, Meta(min_length=1, max_length=1024)]
    user_domain: Filled = "Default"
    project: Filled = "service"
    project_domain: Filled = "Default"

    def __repr__(self) -> str:
        """Show no password in logs and tracebacks."""
        return f"Service(user={self.user!r})"


class KeystoneSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Keystone is, and how its tokens are read. The keys of the file."""

    url: Filled
    service: Service
    ca_file: str = ""
    account: AccountIs = AccountIs.PROJECT
    remember_s: Annotated[float, Meta(ge=0, le=_LONGEST_MEMORY_S)] = 30.0
    roles: Mapping[str, str] = msgspec.field(default_factory=DEFAULT_ROLES.copy)

    @property
    def base_url(self) -> str:
        """The URL of Keystone's API, ending in /v3."""
        return f"{self.url.rstrip('/').removesuffix('/v3')}/v3"

    @property
    def in_clear(self) -> bool:
        """Whether passwords and tokens travel to another machine unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context for Keystone. Raises OSError where the CA file can't be read."""
        return ssl.create_default_context(cafile=self.ca_file or None)

    def policies(self) -> Mapping[str, Policy]:
        """Return the policy of each role, by the role's name in lower case: Keystone doesn't tell cases apart."""
        return {role.lower(): SYSTEM_POLICIES[name] for role, name in self.roles.items()}


def read_settings(path: Path) -> KeystoneSettings:
    """Return the settings in the file *path*. Raises KeystoneSettingsUnusable."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        settings = msgspec.convert(document, KeystoneSettings)
    except OSError as error:
        raise KeystoneSettingsUnusable(path=path, reason=error.strerror or str(error)) from error
    except (ValueError, msgspec.ValidationError) as error:
        raise KeystoneSettingsUnusable(path=path, reason=str(error)) from error
    reason = _what_is_wrong(settings)
    if reason:
        raise KeystoneSettingsUnusable(path=path, reason=reason)
    return settings


def _what_is_wrong(settings: KeystoneSettings) -> str:
    """Return what can't be, in words; empty where all is well."""
    try:
        parts = urlsplit(settings.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            return "url is not the URL of a server, such as https://keystone.example.org:5000"
        settings.tls()
    except ValueError as error:
        return f"url: {error}"
    except OSError as error:  # ssl.SSLError is one
        return f"ca_file: {error.strerror or error}"
    unknown = [name for name in settings.roles.values() if name not in SYSTEM_POLICIES]
    return f"roles: there is no system policy {unknown[0]!r}" if unknown else ""
