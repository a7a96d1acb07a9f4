"""Opening a ledger in a PostgreSQL database: one process at a time brings the schema up to date."""

from functools import partial

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from wherry.ledger.ledger import Deliver, Ledger, Outcomes, Writer, bring_up_to_date
from wherry.ledger.notices import NoticeListener, new_process_name
from wherry.ledger.postgresql import PostgresDatabase, lock_key
from wherry.ledger.postgresql_batch import PostgresBatch
from wherry.ledger.postgresql_reads import PostgresReader
from wherry.ledger.writer import BatchRunner, ThreadWriter

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
    runner = BatchRunner(PostgresBatch(engine, process))

    def new_writer(deliver: Deliver) -> Writer:
        return ThreadWriter(runner, partial(_on_the_loop, deliver))

    return Ledger(engine, new_writer, PostgresReader(engine), listener)


def _on_the_loop(deliver: Deliver, outcomes: Outcomes) -> None:
    """Deliver *outcomes* on the event loop of those who wait for them."""
    loop = outcomes[0].token.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(deliver, outcomes)
