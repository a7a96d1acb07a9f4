"""What launched targets showed when somebody asked: the newest recording of each task, text and picture.

They stand where those of rehearsals do, and go with the task.
"""

from typing import Any

from sqlalchemy import Connection, Select, delete, select

from wherry.contract.enumerations import OrderKind
from wherry.ledger import schema

_order = schema.landing_order
_record = schema.rehearsal_record


def keep(connection: Connection, order_id: str, task_id: str, console: bytes, screenshot: bytes) -> None:
    """Store what an order has recorded, in place of what an earlier one has."""
    connection.execute(delete(_record).where(_record.c.order_id.in_(_of_task(task_id))))
    values = {"order_id": order_id, "task_id": task_id, "console": console, "screenshot": screenshot}
    connection.execute(_record.insert().inline(), values)


def console_of(connection: Connection, task_id: str) -> bytes | None:
    """Return the recorded text of the target's console, None where there's none."""
    return connection.execute(select(_record.c.console).where(_record.c.order_id.in_(_of_task(task_id)))).scalar()


def screenshot_of(connection: Connection, task_id: str) -> bytes | None:
    """Return the recorded picture of the target's screen, as PNG, None where there's none."""
    return connection.execute(select(_record.c.screenshot).where(_record.c.order_id.in_(_of_task(task_id)))).scalar()


def _of_task(task_id: str) -> Select[tuple[Any]]:
    return select(_order.c.id).where(_order.c.task_id == task_id, _order.c.kind == OrderKind.RECORD)
