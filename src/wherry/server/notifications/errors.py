"""Why a notification didn't arrive, or can't be sent at all. Codes WHERRY.542x."""

from typing import ClassVar

from wherry.errors import WherryError


class Undeliverable(WherryError):
    """A delivery didn't arrive. *final*: trying again is of no use."""

    final: ClassVar[bool] = False


class WebhookUnreachable(Undeliverable):
    """No connection to the webhook's server."""

    code = "WHERRY.5421"
    template = "No connection to {host}: {reason}."
    default_cause = (
        "The name isn't known, nobody listens there, a firewall is between, or its certificate isn't trusted."
    )
    default_fix = (
        "Look whether the URL can be reached from the control plane; name the authority of a private certificate by "
        "--webhook-ca-file. It's tried again for a day."
    )


class WebhookRefused(Undeliverable):
    """The webhook's server didn't answer with 2xx."""

    code = "WHERRY.5422"
    template = "{host} answered {status}."
    default_cause = "The webhook's server is failing, doesn't accept the signature, or wants to redirect."
    default_fix = "Look at the log of the webhook's server. Redirects aren't followed: subscribe the final URL."


class WebhookGone(Undeliverable):
    """The webhook's server says that the URL is no webhook any more."""

    code = "WHERRY.5423"
    template = "{host} answered 410: the webhook is gone for good."
    default_cause = "Whoever runs the webhook's server has removed it."
    default_fix = "Delete the subscription, or give it another URL and repeat the delivery."
    final = True


class DeliveryTooSlow(Undeliverable):
    """The other side didn't answer in time."""

    code = "WHERRY.5424"
    template = "{host} did not take it within {limit_s} seconds."
    default_cause = "The server is overloaded, hangs, or does its work before it answers."
    default_fix = "Let it answer first and work then. It's tried again for a day."


class AddressRefused(Undeliverable):
    """The webhook's host has no address to which notifications may go."""

    code = "WHERRY.5425"
    template = "{host} is at {addresses}, where no notifications are sent."
    default_cause = (
        "Addresses of this machine, of its own link (cloud metadata services among them) and of groups are refused, "
        "and those of --webhook-deny."
    )
    default_fix = "Use another URL, or allow the network by --webhook-allow if you trust everybody who may subscribe."


class WayMissing(Undeliverable):
    """The control plane isn't set up for this way of telling."""

    code = "WHERRY.5426"
    template = "This control plane sends no {kind}."
    default_cause = "It was started without a mail server."
    default_fix = "Start `wherry serve` with --smtp-server and --mail-from."


class DeliveryFault(Undeliverable):
    """A fault of the control plane itself."""

    code = "WHERRY.5427"
    template = "The delivery failed by a fault of the control plane: {reason}."
    default_cause = "An error that nobody has foreseen; the control plane's log has its traceback."
    default_fix = "Report it. It's tried again for a day."


class MailServerUnreachable(Undeliverable):
    """No conversation with the mail server."""

    code = "WHERRY.5428"
    template = "No conversation with the mail server {host}: {reason}."
    default_cause = (
        "It's down, a firewall is between, its certificate isn't trusted, or it doesn't speak this security."
    )
    default_fix = "Look at --smtp-server, --smtp-security and --smtp-ca-file, and at the mail server's log."


class MailRefused(Undeliverable):
    """The mail server doesn't take the e-mail."""

    code = "WHERRY.5429"
    template = "The mail server {host} answered: {answer}."
    default_cause = "It doesn't know the addresses, wants another sender, or refuses the credentials."
    default_fix = "Look at the subscription's addresses, at --mail-from and --smtp-credentials-file."


class NetworkMalformed(WherryError):
    """The text of --webhook-allow or --webhook-deny isn't a network."""

    code = "WHERRY.5430"
    template = "{text!r} is not a network."
    default_cause = "It has to be an address with the length of its prefix, without bits behind it."
    default_fix = "Write it like 10.0.0.0/8, 192.0.2.7/32 or fd00::/8."


class AuthoritiesUnreadable(WherryError):
    """The file of --webhook-ca-file or --smtp-ca-file doesn't hold certificates."""

    code = "WHERRY.5431"
    template = "The authorities in {path} cannot be used: {reason}."
    default_cause = "The file is missing, not readable for this user, or holds no certificates in PEM."
    default_fix = "Name a file with the certificates of the authorities in PEM."


class MailCredentialsUnreadable(WherryError):
    """The file of --smtp-credentials-file doesn't hold a user and a password."""

    code = "WHERRY.5432"
    template = "The credentials of the mail server in {path} cannot be used: {reason}."
    default_cause = "The file is missing, not readable for this user, or doesn't have two lines."
    default_fix = "Write the user into its first line and the password into its second; mode 0600."


class MailSettingsIncomplete(WherryError):
    """Options of the mail server that don't go together."""

    code = "WHERRY.5433"
    template = "The mail server is not fully described: {reason}."
    default_cause = "A mail server needs an address that mail comes from, and credentials need a mail server and TLS."
    default_fix = (
        "Give --smtp-server HOST[:PORT] and --mail-from ADDRESS together; with credentials, no `none` security."
    )
