"""What can go wrong with the ledger, in words. Codes WHERRY.53xx."""

from wherry.errors import WherryError


class CommitFailed(WherryError):
    """Nothing of a batch was stored: its transaction couldn't be committed. The ledger itself stays usable."""

    code = "WHERRY.5301"
    template = "The change was not stored: the ledger's commit failed ({reason})."
    default_cause = "The file system that holds the data directory is full, or its disk refused to write."
    default_fix = "Free space on the file system of the data directory, look at `dmesg` for disk errors, and try again."


class LedgerClosed(WherryError):
    """A write came after the ledger was closed."""

    code = "WHERRY.5302"
    template = "The ledger is closed."
    default_cause = "The control plane is shutting down."
    default_fix = "Send the request again when the control plane runs again."


class LedgerUnusable(WherryError):
    """The ledger can't be opened at all."""

    code = "WHERRY.5303"
    template = "The ledger {path} cannot be opened: {reason}."
    default_cause = "The file is damaged, isn't a ledger, or can't be read and written by this user."
    default_fix = "Check owner and mode of the data directory, or restore the ledger from a backup."


class LedgerTooNew(WherryError):
    """The ledger was written by a newer Wherry."""

    code = "WHERRY.5304"
    template = "The ledger {path} has the schema {revision!r}, which this version of Wherry does not know."
    default_cause = "A newer version of Wherry has been used with this data directory."
    default_fix = "Run that newer version, or restore the backup that was made before the upgrade."
