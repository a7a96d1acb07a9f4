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


class WorkersNeedPostgresql(WherryError):
    """More than one process was asked for on SQLite."""

    code = "WHERRY.5406"
    template = "{workers} workers cannot share a ledger in SQLite."
    default_cause = "The processes of a control plane tell each other through PostgreSQL what has changed."
    default_fix = "Name a PostgreSQL database by --database or --database-file, or leave --workers at 1."


class PasswordInArguments(WherryError):
    """A secret stands where every user of the machine can read it."""

    code = "WHERRY.5407"
    template = "The URL of --database holds a password."
    default_cause = "The arguments of a process are no secret: every user of the machine can read them."
    default_fix = (
        "Write the URL into a file (mode 0600) and name it by --database-file, or put it into WHERRY_DATABASE; or "
        "leave the password out and keep it in ~/.pgpass."
    )


class DatabaseNamedTwice(WherryError):
    """Both options were given."""

    code = "WHERRY.5408"
    template = "--database and --database-file are both given."
    default_cause = "There is one ledger only."
    default_fix = "Leave one of them away."


class DatabaseFileUnreadable(WherryError):
    """The file of --database-file doesn't hold a URL."""

    code = "WHERRY.5409"
    template = "The file {path} cannot be used as the database's address: {reason}."
    default_cause = "It's missing, not readable for this user, or holds something else than one line with a URL."
    default_fix = "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE into it, mode 0600."


class AgentBundleUnusable(WherryError):
    """The file of --agent-bundle can't be handed out."""

    code = "WHERRY.5410"
    template = "The agent's bundle {path} cannot be used: {reason}."
    default_cause = "It's missing, not readable for this user, or isn't what `make agent-bundle` makes."
    default_fix = "Build it by `make agent-bundle` and name build/agent-bundle/wherry-agent-x86_64 by --agent-bundle."
