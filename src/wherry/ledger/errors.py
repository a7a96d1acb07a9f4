"""What can go wrong with the ledger, in words. Codes WHERRY.53xx."""

from wherry.errors import WherryError


class CommitFailed(WherryError):
    """Nothing of a batch was stored: its transaction couldn't be committed. The ledger itself stays usable."""

    code = "WHERRY.5301"
    template = "The change was not stored: the ledger's commit failed ({reason})."
    default_cause = "The file system that holds the ledger is full, or its disk refused to write."
    default_fix = "Free space on the file system of the ledger, look at `dmesg` for disk errors, and try again."


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


class LedgerAway(WherryError):
    """The database server can't be reached just now. Nothing of the batch was stored, or nobody can tell."""

    code = "WHERRY.5305"
    template = "The ledger's database does not answer ({reason})."
    default_cause = "The PostgreSQL server is down, restarting or cut off from the control plane."
    default_fix = (
        "Send the request again in a few seconds: the control plane connects again by itself. If it goes on, look at "
        "the database server and the way to it."
    )


class ValueRefused(WherryError):
    """The database can't store a value at all."""

    code = "WHERRY.5306"
    template = "A value cannot be stored: {reason}."
    default_cause = "A text is longer than 255 characters or holds the character U+0000, or a number is too large."
    default_fix = "Correct the request."


class DatabaseMalformed(WherryError):
    """What was given as the database isn't a URL of a PostgreSQL database."""

    code = "WHERRY.5307"
    template = "The database's address cannot be used: {reason}."
    default_cause = "It has to be like postgresql://USER@HOST:PORT/DATABASE; parameters of libpq may follow."
    default_fix = "Correct --database, the file of --database-file, or WHERRY_DATABASE."


def origin(error: BaseException) -> BaseException:
    """Return the driver's own error: SQLAlchemy wraps it."""
    return getattr(error, "orig", None) or error


def words(error: BaseException) -> str:
    """Return the driver's own words: SQLAlchemy puts the whole statement around them, which may hold data."""
    text = str(origin(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
