"""Secrets of a task's data channel: certificates, their keys, and the passphrase of the keys. All PEM text."""

from wherry.contract.values import Wire


class CertKeyQuery(Wire, frozen=True, kw_only=True):
    """Query of ShowCertKey."""

    enable_ca_cert: bool | None = None


class CertKey(Wire, frozen=True, kw_only=True):
    """Answer of ShowCertKey. The private keys are encrypted with the passphrase of ShowPassphrase."""

    cert: str
    private_key: str
    ca: str | None = None
    target_mgmt_cert: str | None = None
    target_mgmt_private_key: str | None = None
    target_data_cert: str | None = None
    target_data_private_key: str | None = None


class Passphrase(Wire, frozen=True, kw_only=True):
    """Answer of ShowPassphrase."""

    task_id: str
    passphrase: str
