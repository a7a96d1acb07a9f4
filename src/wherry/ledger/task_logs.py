"""The logs of agents, until they expire. They are in the ledger so that every process and every node has them."""

from sqlalchemy import Connection, exists, select

from wherry.ledger import schema

_log = schema.task_log


def put(connection: Connection, task_id: str, content: bytes, *, expires_at: int) -> None:
    """Store the log of a task, in the place of one that's there."""
    values = {"content": content, "expires_at": expires_at}
    if connection.execute(_log.update().where(_log.c.task_id == task_id).values(values)).rowcount == 0:
        connection.execute(_log.insert().inline(), {"task_id": task_id, **values})


def find(connection: Connection, task_id: str, *, at: int) -> bytes | None:
    """Return the log of a task, None where there's none or it has expired."""
    query = select(_log.c.content).where(_log.c.task_id == task_id, _log.c.expires_at > at)
    return connection.execute(query).scalar()


def remove(connection: Connection, task_id: str) -> None:
    """Remove the log of a task, if there is one."""
    connection.execute(_log.delete().where(_log.c.task_id == task_id))


def any_expired(connection: Connection, *, at: int) -> bool:
    """Tell whether a log, of any account, is kept beyond its time."""
    return bool(connection.execute(select(exists().where(_log.c.expires_at <= at))).scalar())


def remove_expired(connection: Connection, *, at: int) -> None:
    """Remove the logs whose time is over."""
    connection.execute(_log.delete().where(_log.c.expires_at <= at))
