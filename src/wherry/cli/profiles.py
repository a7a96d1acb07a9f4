"""Profiles: the control planes that a person works with, and the access key for each.

A profile is a folder below ``$XDG_CONFIG_HOME/wherry/profiles`` with ``profile.json`` (mode 0600) and, where the
control plane has a CA of its own, ``ca.pem``; ``current`` beside them names the one that is used where none is named.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from wherry.cli.errors import FileUnreadable, FileUnwritable, ProfileNameRefused, ProfileUnknown
from wherry.client.state_folder import private_folder
from wherry.durable import write_file

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How a control plane is reached. Its secret stays out of logs."""

    endpoint: str
    access_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Profile(endpoint={self.endpoint!r}, access_key={self.access_key!r})"


def configuration_folder(environment: Mapping[str, str]) -> Path:
    """Return where the profiles of this user are kept."""
    home = environment.get("XDG_CONFIG_HOME", "")
    # The specification has relative paths ignored.
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    return base / "wherry"


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles below *folder*."""

    folder: Path

    def names(self) -> Sequence[str]:
        """Return the names of all profiles, sorted."""
        return sorted(path.parent.name for path in self.folder.glob("profiles/*/profile.json"))

    def current(self) -> str:
        """Return the name of the profile that's used where none is named; empty where there's none."""
        path = self.folder / "current"
        try:
            name = path.read_text().strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise FileUnreadable(path=path, what="the name of a profile", reason=str(error)) from error
        return name if _NAME.fullmatch(name) and self._file(name).is_file() else ""

    def load(self, name: str) -> Profile:
        """Return the profile *name*. Raises ProfileUnknown, FileUnreadable."""
        path = self._file(name)
        try:
            return msgspec.json.decode(path.read_bytes(), type=Profile)
        except FileNotFoundError:
            raise ProfileUnknown(name=name) from None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise FileUnreadable(path=path, what="a profile", reason=str(error)) from error

    def ca_file(self, name: str) -> Path | None:
        """Return the file of the profile's CA; None where the system's authorities are trusted."""
        path = self._file(name).with_name("ca.pem")
        return path if path.is_file() else None

    def check_name(self, name: str) -> str:
        """Return *name* if a profile can be called so. Raises ProfileNameRefused."""
        if not _NAME.fullmatch(name):
            raise ProfileNameRefused(name=name)
        return name

    def store(self, name: str, profile: Profile, ca: str = "") -> None:
        """Keep *profile* under *name*, in place of what was there, and its CA (PEM) with it.

        The first one is the current one from then on. Raises ProfileNameRefused, FolderUnusable, FileUnwritable.
        """
        path = self._file(name)
        private_folder(path.parent)
        try:
            if ca:
                write_file(path.with_name("ca.pem"), ca.encode(), mode=0o600)
            else:
                path.with_name("ca.pem").unlink(missing_ok=True)
            write_file(path, msgspec.json.format(msgspec.json.encode(profile)) + b"\n", mode=0o600)
        except OSError as error:
            raise FileUnwritable(path=path, reason=error.strerror or str(error)) from error
        if not self.current():
            self.use(name)

    def use(self, name: str) -> None:
        """Make *name* the current profile. Raises ProfileUnknown."""
        if not self._file(name).is_file():
            raise ProfileUnknown(name=name)
        write_file(self.folder / "current", name.encode() + b"\n", mode=0o600)

    def remove(self, name: str) -> None:
        """Forget the profile *name*. Raises ProfileUnknown."""
        path = self._file(name)
        if not path.is_file():
            raise ProfileUnknown(name=name)
        was_current = self.current() == name
        shutil.rmtree(path.parent)
        if was_current:
            (self.folder / "current").unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / "profiles" / self.check_name(name) / "profile.json"


def own_profiles() -> Profiles:
    """Return the profiles of who runs this."""
    return Profiles(configuration_folder(os.environ))
