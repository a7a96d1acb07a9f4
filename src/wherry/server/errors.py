"""Why the control plane doesn't start, in words. Codes WHERRY.54xx."""

from wherry.errors import WherryError


class DataDirectoryRefused(WherryError):
    """The data directory can't be made or written."""

    code = "WHERRY.5401"
    template = "The data directory {path} cannot be used: {reason}."
    default_cause = "It is a file, or this user may not write there, or its file system is full or read-only."
    default_fix = "Name another directory by --data, or give this user the right to write there."


class DataDirectoryBusy(WherryError):
    """Another control plane runs on the data directory."""

    code = "WHERRY.5402"
    template = "The data directory {path} is in use by another `wherry serve` (process {process})."
    default_cause = "Two control planes on one directory would destroy each other's ledger."
    default_fix = "Stop the other one first, or name another directory by --data."


class ListenRefused(WherryError):
    """The address can't be listened on."""

    code = "WHERRY.5403"
    template = "Cannot listen on {address}: {reason}."
    default_cause = "Another program uses the port, the address isn't one of this machine, or the port needs root."
    default_fix = "Name another address by --listen, or stop the program that uses the port (`ss -ltnp`)."


class AddressMalformed(WherryError):
    """The text of --listen isn't HOST:PORT."""

    code = "WHERRY.5404"
    template = "{address!r} is not an address to listen on."
    default_cause = "It has to be HOST:PORT, IPv6 hosts in brackets, the port from 0 (any free one) to 65535."
    default_fix = "Write it like 127.0.0.1:8443 or [::1]:8443."


class AdminFileUnreadable(WherryError):
    """admin.json exists and isn't one."""

    code = "WHERRY.5405"
    template = "The file {path} cannot be read: {reason}."
    default_cause = "It was edited or cut short, or belongs to another user."
    default_fix = "Restore it from a backup, or remove it if you keep the credentials elsewhere."
