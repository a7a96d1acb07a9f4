"""Opening a ledger in a PostgreSQL database: one process at a time brings the schema up to date."""

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from wherry.ledger.ledger import Ledger, bring_up_to_date
from wherry.ledger.notices import NoticeListener, new_process_name
from wherry.ledger.postgresql import PostgresDatabase, lock_key
from wherry.ledger.postgresql_batch import PostgresBatch
from wherry.ledger.postgresql_reads import PostgresReader

_SCHEMA = lock_key("schema")

log = structlog.get_logger(__name__)


def open_postgresql(url: str) -> Ledger:
    """Open the ledger in the database of *url*. Raises LedgerUnusable, LedgerTooNew, DatabaseMalformed."""
    database = PostgresDatabase(url)
    for warning in database.check():
        log.warning(warning, database=database.shown)
    engine = database.open_engine()
    try:
        with database.connect() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_SCHEMA,))
            bring_up_to_date(engine, database.shown)
    except (DBAPIError, psycopg.Error) as error:
        engine.dispose()
        raise database.unusable(error) from error
    process = new_process_name()
    listener = NoticeListener(database.connect, process)
    return Ledger(engine, PostgresBatch(engine, process), PostgresReader(engine), listener)
