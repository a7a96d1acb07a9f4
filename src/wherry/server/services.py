"""What handlers work with: the ledger, iam's parts and the control plane's own bookkeeping, made once at start."""

from collections.abc import Callable
from dataclasses import dataclass

from wherry.iam.authentication import Authenticator
from wherry.iam.certificates import Authority, ProofSigner
from wherry.iam.keys import SecretBox
from wherry.iam.keystone_tokens import Keystone
from wherry.iam.lockout import Lockout
from wherry.iam.refusals import RefusalCodec
from wherry.iam.temporary_keys import TemporaryKeyIssuer
from wherry.iam.tokens import TokenIssuer
from wherry.ledger.ledger import Ledger
from wherry.ledger.scoped_memory import ScopedMemory
from wherry.server.agent_bundle import AgentBundle
from wherry.server.contacts import Contacts, ReceiverContacts
from wherry.server.directory import LedgerDirectory
from wherry.server.told import Told
from wherry.server.waiting import Waiters


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running control plane.

    Attributes:
        keystone: the OpenStack Keystone that knows the users; None: the built-in identity service does.
        logins: counts wrong passwords.
        told: what polls were answered lately, by the scope of their source.
        endpoint: the URL under which it's reached, as shown in catalogs and links.
        clock: the time in epoch milliseconds.
        key_box: seals the secrets of access keys.
        secret_box: seals the other secrets at rest: passphrases, target passwords.
        agent: the bundle that agents are installed from; None where none is handed out.
        sends_mail: whether there's a mail server for notifications.
        tls: whether it's served over TLS with a certificate of `authority`.
    """

    ledger: Ledger
    directory: LedgerDirectory
    keystone: Keystone | None
    authenticator: Authenticator
    logins: Lockout
    tokens: TokenIssuer
    temporary: TemporaryKeyIssuer
    refusals: RefusalCodec
    key_box: SecretBox
    secret_box: SecretBox
    authority: Authority
    proofs: ProofSigner
    contacts: Contacts
    receivers: ReceiverContacts
    waiters: Waiters
    told: ScopedMemory[Told]
    endpoint: str
    agent: AgentBundle | None
    sends_mail: bool
    tls: bool
    clock: Callable[[], int]
