"""`wherry receiver list` and `show`: where disks can land."""

from typing import Final

from wherry.cli.asking import USUAL, Asking
from wherry.cli.choosing import chosen, the_one
from wherry.cli.output import Column, facts, moment, show, size, table
from wherry.contract.wherry import Receiver, ReceiverList


def _address(receiver: Receiver) -> str:
    host = f"[{receiver.data_host}]" if ":" in receiver.data_host else receiver.data_host
    return f"{host}:{receiver.data_port}" if host else ""


COLUMNS: Final = (
    Column[Receiver]("name", lambda each: each.name),
    Column[Receiver]("id", lambda each: each.id),
    Column[Receiver]("connected", lambda each: each.connected),
    Column[Receiver]("data port", _address),
    Column[Receiver]("drivers", lambda each: ", ".join(each.drivers)),
    Column[Receiver]("free", lambda each: size(each.free_bytes), numeric=True),
    Column[Receiver]("last contact", lambda each: moment(each.last_contact)),
)


def list_receivers(*receivers: str, asking: Asking = USUAL) -> None:
    """List the receivers that the control plane knows.

    Parameters
    ----------
    receivers:
        Ids, names, or patterns; all without one.
    """
    with asking.connect() as plane:
        found = chosen(receivers, plane.list_receivers().receivers, _names, kind="receiver")
    show(ReceiverList(count=len(found), receivers=found), table(COLUMNS, found), json=asking.json)


def show_receiver(receiver: str, /, *, asking: Asking = USUAL) -> None:
    """Show a receiver, and what can land there.

    Parameters
    ----------
    receiver:
        Its id or its name.
    """
    with asking.connect() as plane:
        found = the_one(receiver, plane.list_receivers().receivers, _names, kind="receiver")
    shown = facts(
        ("name", found.name),
        ("id", found.id),
        ("connected", found.connected),
        ("last contact", moment(found.last_contact)),
        ("data port", _address(found)),
        ("drivers", ", ".join(found.drivers)),
        ("free", size(found.free_bytes)),
        ("version", found.version),
    )
    show(found, shown, json=asking.json)


def _names(receiver: Receiver) -> tuple[str, str]:
    return receiver.id, receiver.name
