"""Bringing a database to the schema of this version, with the Alembic scripts that are part of the package."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from wherry.ledger.errors import LedgerTooNew


def upgrade(engine: Engine, shown: object) -> None:
    """Bring the database behind *engine* to the newest schema; an empty one gets all tables.

    Each script runs in a transaction of its own with the note that it ran, so that a crash leaves either schema.
    Raises LedgerTooNew, with *shown* as the ledger's place, where the database has a revision that isn't known here.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces itself at every start
    config = configuration()
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise LedgerTooNew(path=shown, revision=current)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def configuration() -> Config:
    """Return the configuration that points Alembic to the scripts of this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
