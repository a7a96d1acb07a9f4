"""Notifications under /wherry/v1: what is told to whom, and what became of it.

A *subscription* says which events are told, and by which way; a *delivery* is one event on its way to one
subscription. Times in epoch milliseconds.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, field

from wherry.contract.values import FilledText, Limit200, Offset, Text, Wire

MAX_SUBSCRIPTIONS: Final = 50
"""Subscriptions of an account at most."""

Url = Annotated[str, Meta(min_length=9, max_length=2048, pattern=r"^https://[!-~]+$(?!\n)")]
Address = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$(?!\n)")]
Addresses = Annotated[list[Address], Meta(max_length=20)]
WebhookSecret = Annotated[str, Meta(min_length=38, max_length=94, pattern=r"^whsec_[A-Za-z0-9+/]+={0,2}$(?!\n)")]
"""`whsec_` and the base64 of 24 to 64 bytes, as Standard Webhooks has it."""
ErrorText = Annotated[str, Meta(max_length=2048)]


class EventType(StrEnum):
    """What a subscription can be told of; the `type` of the CloudEvent."""

    TASK_CREATED = "wherry.task.created"
    TASK_STARTED = "wherry.task.started"
    TASK_SYNCING = "wherry.task.syncing"
    TASK_STOPPED = "wherry.task.stopped"
    TASK_SUCCEEDED = "wherry.task.succeeded"
    TASK_FAILED = "wherry.task.failed"
    NOT_CONVERGING = "wherry.replication.not-converging"
    REHEARSAL_PASSED = "wherry.rehearsal.passed"
    REHEARSAL_FAILED = "wherry.rehearsal.failed"
    REHEARSAL_INCONCLUSIVE = "wherry.rehearsal.inconclusive"
    TARGET_LAUNCHED = "wherry.target.launched"
    TARGET_LAUNCH_FAILED = "wherry.target.launch-failed"
    TARGET_ROLLED_BACK = "wherry.target.rolled-back"
    TARGET_ROLL_BACK_FAILED = "wherry.target.roll-back-failed"
    SOURCE_REGISTERED = "wherry.source.registered"
    SOURCE_CONNECTED = "wherry.source.connected"
    SOURCE_DISCONNECTED = "wherry.source.disconnected"
    RECEIVER_LOW_ON_SPACE = "wherry.receiver.low-on-space"
    TEST = "wherry.subscription.test"


EventTypes = Annotated[list[EventType], Meta(max_length=50)]


class SubscriptionKind(StrEnum):
    """The way by which a subscription is told."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """How far a delivery is. `dead`: given up; `last_error` says why."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class SubscriptionCreation(Wire, frozen=True, kw_only=True):
    """Body of POST /wherry/v1/subscriptions.

    A webhook has a `url`, and a `secret` that is made where none is sent; an e-mail has `addresses`. Without
    `event_types` it's told of everything; `enterprise_project_id` and `source_id` narrow that, where they are given.
    """

    name: FilledText
    kind: SubscriptionKind
    url: Url | None = None
    secret: WebhookSecret | None = None
    addresses: Addresses | None = None
    event_types: EventTypes = field(default_factory=list)
    enterprise_project_id: Text = ""
    source_id: Annotated[str, Meta(max_length=36)] = ""
    enabled: bool = True


class SubscriptionUpdate(Wire, frozen=True, kw_only=True):
    """Body of PUT /wherry/v1/subscriptions/{subscription_id}: what isn't sent stays."""

    name: FilledText | None = None
    url: Url | None = None
    secret: WebhookSecret | None = None
    addresses: Addresses | None = None
    event_types: EventTypes | None = None
    enterprise_project_id: Text | None = None
    source_id: Annotated[str, Meta(max_length=36)] | None = None
    enabled: bool | None = None


class SubscriptionCreated(Wire, frozen=True, kw_only=True):
    """Answer of POST /wherry/v1/subscriptions. A secret that was made is shown this once."""

    id: str
    secret: str | None = None


class Subscription(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A subscription as it's read; the secret stays out. `waiting`, `dead`: its deliveries in these states."""

    id: str
    name: str
    kind: SubscriptionKind
    enabled: bool
    url: str = ""
    addresses: list[str] = field(default_factory=list)
    event_types: list[str] = field(default_factory=list)
    enterprise_project_id: str = ""
    source_id: str = ""
    waiting: int = 0
    dead: int = 0
    created_at: int = 0
    updated_at: int = 0


class SubscriptionList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/subscriptions, the oldest first."""

    count: int
    subscriptions: list[Subscription]


class DeliveryError(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Why a delivery didn't arrive: code, what happened, its cause, its fix."""

    code: str
    message: ErrorText
    cause: ErrorText = ""
    fix: ErrorText = ""


class Delivery(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """A delivery. `id` is the webhook-id, `event_id` the id of the CloudEvent.

    `at`: when it happened; `due_at`: when it's tried next; `ended_at` null: it's still under way.
    """

    id: str
    subscription_id: str
    event_id: str
    event_type: str
    subject: str
    at: int
    state: DeliveryState
    attempts: int = 0
    due_at: int | None = None
    ended_at: int | None = None
    last_error: DeliveryError | None = None


class DeliveryList(Wire, frozen=True, kw_only=True):
    """Answer of GET /wherry/v1/subscriptions/{subscription_id}/deliveries, the newest first."""

    count: int
    deliveries: list[Delivery]


class DeliveriesQuery(Wire, frozen=True, kw_only=True):
    """Filters of a subscription's deliveries."""

    state: DeliveryState | None = None
    limit: Limit200 | None = None
    offset: Offset | None = None
