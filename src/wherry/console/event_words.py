"""What notifications are called on a page: the events that can be told, the ways, and how far a delivery is."""

from collections.abc import Mapping

from wherry.console.languages import N_
from wherry.console.words import Word
from wherry.contract.notifications import DeliveryState, EventType, SubscriptionKind

EVENTS: Mapping[str, str] = {
    EventType.TASK_CREATED: N_("A task was created"),
    EventType.TASK_STARTED: N_("A task was started"),
    EventType.TASK_SYNCING: N_("A task is in sync"),
    EventType.TASK_STOPPED: N_("A task was paused"),
    EventType.TASK_SUCCEEDED: N_("A migration is done"),
    EventType.TASK_FAILED: N_("A task failed"),
    EventType.NOT_CONVERGING: N_("A source writes faster than is copied"),
    EventType.REHEARSAL_PASSED: N_("A rehearsal passed"),
    EventType.REHEARSAL_FAILED: N_("A rehearsal failed"),
    EventType.REHEARSAL_INCONCLUSIVE: N_("A rehearsal came to no verdict"),
    EventType.TARGET_LAUNCHED: N_("A target was launched"),
    EventType.TARGET_LAUNCH_FAILED: N_("The launch of a target failed"),
    EventType.TARGET_ROLLED_BACK: N_("A target was rolled back"),
    EventType.TARGET_ROLL_BACK_FAILED: N_("The roll back of a target failed"),
    EventType.SOURCE_REGISTERED: N_("A source registered"),
    EventType.SOURCE_CONNECTED: N_("A source is connected again"),
    EventType.SOURCE_DISCONNECTED: N_("A source fell silent"),
    EventType.RECEIVER_LOW_ON_SPACE: N_("A receiver has little room left"),
    EventType.TEST: N_("A test"),
}

KINDS: Mapping[str, str] = {
    SubscriptionKind.WEBHOOK: N_("Webhook"),
    SubscriptionKind.EMAIL: N_("E-mail"),
}

DELIVERY_STATES: Mapping[str, Word] = {
    DeliveryState.WAITING: Word(N_("Under way"), "busy"),
    DeliveryState.DELIVERED: Word(N_("Delivered"), "good"),
    DeliveryState.DEAD: Word(N_("Given up"), "bad"),
}
