"""The index of the operations on notifications."""

from collections.abc import Mapping
from types import MappingProxyType

from wherry.contract import notifications
from wherry.contract.operations import OperationShape
from wherry.contract.values import CreatedId

_SUBSCRIPTIONS = "/wherry/v1/subscriptions"
_SUBSCRIPTION = f"{_SUBSCRIPTIONS}/{{subscription_id}}"
_DELIVERY = "/wherry/v1/deliveries/{delivery_id}"

NOTIFICATION_OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "CreateSubscription": OperationShape(
            "POST", _SUBSCRIPTIONS, notifications.SubscriptionCreated, notifications.SubscriptionCreation
        ),
        "ListSubscriptions": OperationShape("GET", _SUBSCRIPTIONS, notifications.SubscriptionList),
        "ShowSubscription": OperationShape("GET", _SUBSCRIPTION, notifications.Subscription),
        "UpdateSubscription": OperationShape(
            "PUT", _SUBSCRIPTION, notifications.Subscription, notifications.SubscriptionUpdate
        ),
        "DeleteSubscription": OperationShape("DELETE", _SUBSCRIPTION),
        "TestSubscription": OperationShape("POST", f"{_SUBSCRIPTION}/test", CreatedId),
        "ListDeliveries": OperationShape(
            "GET", f"{_SUBSCRIPTION}/deliveries", notifications.DeliveryList, query=notifications.DeliveriesQuery
        ),
        "ShowDelivery": OperationShape("GET", _DELIVERY, notifications.Delivery),
        "RepeatDelivery": OperationShape("POST", f"{_DELIVERY}/repeat"),
    }
)
"""Subscriptions and deliveries, by ids."""
