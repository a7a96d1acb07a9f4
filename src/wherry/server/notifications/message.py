"""A notification as it's told: the event, in CloudEvents' words. The same delivery always gives the same bytes.

Source: CloudEvents 1.0.2, structured mode, JSON format.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.ledger.deliveries import DeliveryRow

CLOUD_EVENT_JSON = "application/cloudevents+json; charset=utf-8"


class Message(msgspec.Struct, frozen=True):
    """What one delivery tells.

    Attributes:
        id: the delivery's: the same each time it's tried.
        event_id: the event's: the same for all who are told of it.
        type: an `EventType`.
        source: which control plane and account it comes from.
        subject: what it's about, such as ``tasks/ID``.
        at: when it happened, epoch milliseconds.
        link: where people read more.
    """

    id: str
    event_id: str
    type: str
    source: str
    subject: str
    at: int
    data: Mapping[str, Any]
    link: str

    def cloud_event(self) -> bytes:
        """Return the event as JSON."""
        return msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": self.event_id,
                "source": self.source,
                "type": self.type,
                "subject": self.subject,
                "time": self.time(),
                "datacontenttype": "application/json",
                "data": {**self.data, "link": self.link},
            }
        )

    def time(self) -> str:
        """Return when it happened, by RFC 3339."""
        return self.moment().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def moment(self) -> datetime:
        """Return when it happened."""
        return datetime.fromtimestamp(self.at / 1000, UTC)


def message_of(row: DeliveryRow, endpoint: str) -> Message:
    """Return what a delivery tells; *endpoint*: the control plane's URL."""
    kind, _, subject_id = row.subject.partition(":")
    subject = f"{kind}s/{subject_id}"
    if "task" in row.data:
        subject = f"tasks/{row.data['task']['id']}"
    return Message(
        id=row.id,
        event_id=row.event_id,
        type=row.event_type,
        source=f"{endpoint}/accounts/{row.account_id}",
        subject=subject,
        at=row.at,
        data=row.data,
        link=f"{endpoint}/console/{subject}",
    )
