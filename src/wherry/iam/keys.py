"""Access keys and the one master key: generation, and secrets sealed at rest.

Everything that the control plane encrypts for itself hangs on one master key file; a box for each purpose is derived
from it, so that what was sealed for one purpose can't be passed off for another.
"""

import base64
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wherry import durable
from wherry.errors import WherryError

_ACCESS_KEY_LETTERS: Final = string.ascii_uppercase + string.digits
_SECRET_KEY_LETTERS: Final = string.ascii_letters + string.digits
_ACCESS_KEY_LENGTH: Final = 20
_SECRET_KEY_LENGTH: Final = 40
_MASTER_BYTES: Final = 32


class MasterKeyUnreadable(WherryError):
    """The master key file exists and isn't one."""

    code = "WHERRY.5103"
    template = "The master key file {path} is not a master key: {reason}."
    default_cause = "It was cut short or replaced, or another program owns it."
    default_fix = "Restore it from a backup; without it neither access keys nor tokens of this data folder can be read."


class SecretUnreadable(WherryError):
    """A sealed secret can't be opened with this master key."""

    code = "WHERRY.5104"
    template = "A secret sealed for {purpose!r} cannot be opened."
    default_cause = "The master key is not the one that sealed it, or the stored text was changed."
    default_fix = "Restore the master key that belongs to this database, or create new access keys."


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new access key id and its secret."""

    access_key: str
    secret_key: str


def generate_key_pair() -> KeyPair:
    """Return a new access key of the usual form: 20 capitals and digits, with a secret of 40 letters and digits."""
    access_key = "".join(secrets.choice(_ACCESS_KEY_LETTERS) for _ in range(_ACCESS_KEY_LENGTH))
    secret_key = "".join(secrets.choice(_SECRET_KEY_LETTERS) for _ in range(_SECRET_KEY_LENGTH))
    return KeyPair(access_key, secret_key)


class SecretBox:
    """Seals short secrets for one purpose."""

    def __init__(self, purpose: str, fernet: Fernet) -> None:
        self._purpose = purpose
        self.fernet = fernet

    def seal(self, secret: str) -> str:
        """Return *secret* encrypted, as ASCII text to be stored."""
        return self.fernet.encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """Return what `seal` was given. Raises SecretUnreadable for anything else."""
        try:
            return self.fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise SecretUnreadable(purpose=self._purpose) from error


class MasterKey:
    """32 secret bytes from which every other key of the control plane is derived."""

    def __init__(self, material: bytes) -> None:
        self._material = material

    @classmethod
    def open(cls, path: Path) -> "MasterKey":
        """Return the master key in *path*, made at the first start (mode 0600).

        Raises MasterKeyUnreadable where the file holds something else; OSError where it can't be read or written.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            material = secrets.token_bytes(_MASTER_BYTES)
            durable.write_file(path, base64.b64encode(material) + b"\n", mode=0o600)
            return cls(material)
        try:
            material = base64.b64decode(text.strip(), validate=True)
        except ValueError as error:
            raise MasterKeyUnreadable(path=path, reason="it is not base64") from error
        if len(material) != _MASTER_BYTES:
            raise MasterKeyUnreadable(path=path, reason=f"it holds {len(material)} bytes, not {_MASTER_BYTES}")
        return cls(material)

    def box(self, purpose: str) -> SecretBox:
        """Return the box for *purpose*, such as ``access-keys``; the same purpose gives the same key every time."""
        return SecretBox(purpose, Fernet(base64.urlsafe_b64encode(self._derive(purpose))))

    def _derive(self, purpose: str) -> bytes:
        info = f"wherry {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._material)
