"""Where the ledger is: in the data directory, or in the PostgreSQL database of a URL. The URL may hold a secret."""

from collections.abc import Mapping
from pathlib import Path

from wherry.server.errors import DatabaseFileUnreadable, DatabaseNamedTwice, PasswordInArguments

VARIABLE = "WHERRY_DATABASE"


def read_database_address(url: str | None, file: Path | None, environment: Mapping[str, str]) -> str:
    """Return the URL of the database; empty: the ledger is SQLite's, in the data directory.

    *url* comes from the command line, where every user of the machine can read it, so a password in it is refused.
    *file* holds the URL as its only line; the environment counts where neither is given.

    Raises PasswordInArguments, DatabaseNamedTwice, DatabaseFileUnreadable, DatabaseMalformed.
    """
    if url and file is not None:
        raise DatabaseNamedTwice
    if url:
        from wherry.ledger.postgresql import PostgresDatabase  # noqa: PLC0415 - SQLite needs no driver loaded

        if PostgresDatabase(url).has_password:
            raise PasswordInArguments
        return url
    if file is None:
        return environment.get(VARIABLE, "").strip()
    try:
        content = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseFileUnreadable(path=file, reason=getattr(error, "strerror", None) or str(error)) from error
    if not content or "\n" in content:
        raise DatabaseFileUnreadable(path=file, reason="it has to hold one line, the URL")
    return content
