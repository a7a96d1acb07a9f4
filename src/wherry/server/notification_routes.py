"""The lines of the route table for subscriptions and deliveries."""

from wherry.server import deliveries, subscriptions
from wherry.server.route import AuditName, Route

_BODY = 64 * 1024
_SUBSCRIPTIONS = "/wherry/v1/subscriptions"
_SUBSCRIPTION = f"{_SUBSCRIPTIONS}/{{subscription_id}}"
_DELIVERY = "/wherry/v1/deliveries/{delivery_id}"

NOTIFICATIONS = (
    Route(
        "CreateSubscription",
        "POST",
        _SUBSCRIPTIONS,
        subscriptions.create_subscription,
        AuditName("subscription", "createSubscription"),
        max_body=_BODY,
    ),
    Route("ListSubscriptions", "GET", _SUBSCRIPTIONS, subscriptions.list_subscriptions),
    Route("ShowSubscription", "GET", _SUBSCRIPTION, subscriptions.show_subscription),
    Route(
        "UpdateSubscription",
        "PUT",
        _SUBSCRIPTION,
        subscriptions.update_subscription,
        AuditName("subscription", "updateSubscription"),
        max_body=_BODY,
    ),
    Route(
        "DeleteSubscription",
        "DELETE",
        _SUBSCRIPTION,
        subscriptions.delete_subscription,
        AuditName("subscription", "deleteSubscription"),
    ),
    Route(
        "TestSubscription",
        "POST",
        f"{_SUBSCRIPTION}/test",
        subscriptions.test_subscription,
        AuditName("subscription", "testSubscription"),
    ),
    Route("ListDeliveries", "GET", f"{_SUBSCRIPTION}/deliveries", deliveries.list_deliveries),
    Route("ShowDelivery", "GET", _DELIVERY, deliveries.show_delivery),
    Route(
        "RepeatDelivery",
        "POST",
        f"{_DELIVERY}/repeat",
        deliveries.repeat_delivery,
        AuditName("delivery", "repeatDelivery"),
    ),
)
