"""Subscriptions and their deliveries, and the report of a migration."""

from wherry.client.calling import Caller
from wherry.client.transport import Call, path_of
from wherry.contract import notifications
from wherry.contract.report import Report
from wherry.contract.values import CreatedId

_OWN = ("wherry", "v1")


class NotificationOperations(Caller):
    """Subscriptions and their deliveries, and the report of a migration."""

    def create_subscription(
        self, subscription: notifications.SubscriptionCreation
    ) -> notifications.SubscriptionCreated:
        """CreateSubscription: its id, and the secret where it was made. Not tried again once it may have arrived."""
        path, kind = path_of(*_OWN, "subscriptions"), notifications.SubscriptionCreated
        return self._post("CreateSubscription", path, subscription, kind, repeatable=False)

    def list_subscriptions(self) -> notifications.SubscriptionList:
        """ListSubscriptions, the oldest first."""
        return self._get("ListSubscriptions", path_of(*_OWN, "subscriptions"), notifications.SubscriptionList)

    def show_subscription(self, subscription_id: str) -> notifications.Subscription:
        """ShowSubscription."""
        path = path_of(*_OWN, "subscriptions", subscription_id)
        return self._get("ShowSubscription", path, notifications.Subscription)

    def update_subscription(self, subscription_id: str, changes: notifications.SubscriptionUpdate) -> None:
        """UpdateSubscription: what isn't in *changes* stays."""
        self._put(path_of(*_OWN, "subscriptions", subscription_id), changes)

    def delete_subscription(self, subscription_id: str) -> None:
        """DeleteSubscription, with its deliveries."""
        self._delete(path_of(*_OWN, "subscriptions", subscription_id))

    def test_subscription(self, subscription_id: str) -> str:
        """TestSubscription: return the delivery's id. Not tried again once it may have arrived."""
        path = path_of(*_OWN, "subscriptions", subscription_id, "test")
        return self._post("TestSubscription", path, {}, CreatedId, repeatable=False).id

    def list_deliveries(self, subscription_id: str, **filters: object) -> notifications.DeliveryList:
        """ListDeliveries, the newest first; *filters* are the operation's query parameters."""
        path = path_of(*_OWN, "subscriptions", subscription_id, "deliveries")
        return self._get("ListDeliveries", path, notifications.DeliveryList, filters)

    def show_delivery(self, delivery_id: str) -> notifications.Delivery:
        """ShowDelivery."""
        return self._get("ShowDelivery", path_of(*_OWN, "deliveries", delivery_id), notifications.Delivery)

    def repeat_delivery(self, delivery_id: str) -> None:
        """RepeatDelivery. Not tried again once it may have arrived."""
        self._send_body("POST", path_of(*_OWN, "deliveries", delivery_id, "repeat"), {}, repeatable=False)

    def show_report(self, task_id: str) -> Report:
        """ShowReport: the report of a migration."""
        return self._get("ShowReport", path_of(*_OWN, "tasks", task_id, "report"), Report, {"format": "json"})

    def download_report(self, task_id: str) -> bytes:
        """ShowReport: the same as a page that stands alone, in HTML."""
        path = path_of(*_OWN, "tasks", task_id, "report")
        return self._send(Call(method="GET", path=path, query={"format": "html"}))
