"""The ECS corner: a target server, as clients of SMS look it up before they make a task for it.

A target is known when a receiver announces it (one whose driver has servers: images have none), when it is a receiver
itself (a machine that takes disks), or when a task migrates to it. Where several know it, a receiver tells what it is
and the task what it gets.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from wherry.contract.cloud_servers import (
    Address,
    AttachedVolume,
    CloudServer,
    CloudServerAnswer,
    Flavor,
    ImageReference,
)
from wherry.contract.errors import ApiError
from wherry.iam.permissions import Resource
from wherry.ledger import receivers, tasks
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.tasks import TaskRow
from wherry.server.access import allow
from wherry.server.answers import Answer, json_answer
from wherry.server.call import Call

_NETWORK = "wherry"
_GIB = 1 << 30
_DEVICE_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BOOTS = frozenset({"BOOT", "OS"})


@dataclass(frozen=True, slots=True)
class _Power:
    """Whether a server runs, in the four ways in which ECS says it."""

    status: str
    power_state: int
    vm_state: str
    host_status: str


_RUNS = _Power("ACTIVE", 1, "active", "UP")
_OFF = _Power("SHUTOFF", 4, "stopped", "UP")
_UNKNOWN = _Power("UNKNOWN", 0, "unknown", "UNKNOWN")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a server: who announces it and with which words, and the task that migrates to it."""

    receiver: ReceiverRow | None
    announced: Mapping[str, Any]
    task: TaskRow | None

    @property
    def target(self) -> Mapping[str, Any]:
        """What the task says of its target."""
        found: Mapping[str, Any] = {} if self.task is None else self.task.document.get("target_server") or {}
        return found


async def show_cloud_server(call: Call) -> Answer:
    """Return a target server in the words of ECS. The project of the path isn't looked at: the account decides."""
    server_id = call.parameters["server_id"]

    def read(connection: Connection) -> CloudServer:
        known = _find(connection, call.account_id, server_id)
        if known.receiver is None and known.task is None:
            raise ApiError("WHERRY.5812")
        label = "" if known.task is None else known.task.enterprise_project_id
        allow(call, Resource(server_id, enterprise_project_id=label))
        return _shown(call, server_id, known)

    return json_answer(CloudServerAnswer(server=await call.services.ledger.read(read)))


def _find(connection: Connection, account_id: str, server_id: str) -> _Known:
    receiver = receivers.hosting(connection, account_id, server_id)
    task = tasks.using_target(connection, account_id, server_id)
    if receiver is None and task is not None and task.receiver_id is not None:
        receiver = receivers.find(connection, account_id, task.receiver_id)
    servers: Sequence[Mapping[str, Any]] = () if receiver is None else receiver.servers
    announced: Mapping[str, Any] = next((each for each in servers if each["id"] == server_id), {})
    return _Known(receiver, announced, task)


def _shown(call: Call, server_id: str, known: _Known) -> CloudServer:
    target, receiver, task = known.target, known.receiver, known.task
    is_receiver = receiver is not None and receiver.id == server_id
    volumes = _volumes(server_id, known.announced.get("disks") or target.get("disks") or ())
    reached = receiver is None or call.services.receivers.connected(receiver, call.at)
    power = _power(known.announced, reached=reached)
    name = known.announced.get("name") or (receiver.name if is_receiver and receiver else "") or target.get("name")
    moments = [row.created_at for row in (receiver,) if row is not None] + [
        row.create_date for row in (task,) if row is not None
    ]
    return CloudServer(
        id=server_id,
        name=name or server_id,
        status=power.status,
        addresses={_NETWORK: _addresses(known, is_receiver=is_receiver)},
        created=_time(min(moments)),
        updated=_time(max(moments)),
        tenant_id=call.principal.project_id,
        user_id="",
        description="",
        flavor=_flavor(known, volumes),
        image=ImageReference(id=""),
        metadata=_metadata(known),
        tags=[],
        security_groups=[],
        key_name="",
        enterprise_project_id="default" if task is None else task.enterprise_project_id,
        config_drive="",
        locked=False,
        progress=0,
        host_id="" if receiver is None else receiver.id,
        host_status=power.host_status,
        access_ipv4="",
        access_ipv6="",
        availability_zone="",
        host="" if receiver is None else receiver.name,
        hostname=target.get("hostname") or "",
        instance_name=name or server_id,
        root_device_name=next((volume.device for volume in volumes if volume.boot_index == "0"), ""),
        power_state=power.power_state,
        vm_state=power.vm_state,
        volumes_attached=volumes,
    )


def _power(announced: Mapping[str, Any], *, reached: bool) -> _Power:
    """Return whether a server runs: as its receiver tells, if it does and is there; else it's taken to run."""
    if not reached:
        return _UNKNOWN
    return _OFF if announced.get("runs") is False else _RUNS


def _addresses(known: _Known, *, is_receiver: bool) -> list[Address]:
    found = {str(text): "" for text in known.announced.get("addresses") or ()}
    if is_receiver and known.receiver is not None:
        found.setdefault(known.receiver.data_host, "")
    for network in known.target.get("networks") or ():
        for text in (network.get("ip"), network.get("ipv6")):
            found[text or ""] = network.get("mac") or ""
    found.setdefault(known.target.get("ip") or "", "")
    floating = "" if known.task is None else known.task.document.get("migration_ip") or ""
    found.setdefault(floating, "")
    return [
        Address(
            version=version,
            addr=text,
            kind="floating" if text == floating else "fixed",
            mac_addr=mac,
            port_id="",
        )
        for text, mac in found.items()
        if (version := _ip_version(text))
    ]


def _ip_version(text: str) -> str:
    """Return "4" or "6"; empty for what is no address, such as a host's name."""
    try:
        return str(ipaddress.ip_address(text).version)
    except ValueError:
        return ""


def _volumes(server_id: str, disks: Iterable[Mapping[str, Any]]) -> list[AttachedVolume]:
    volumes: list[AttachedVolume] = []
    for index, disk in enumerate(disks):
        boots = disk.get("device_use") in _BOOTS and not any(volume.boot_index for volume in volumes)
        volumes.append(
            AttachedVolume(
                id=disk.get("disk_id") or f"{server_id}-{index}",
                device=f"/dev/vd{_DEVICE_LETTERS[index]}" if index < len(_DEVICE_LETTERS) else "",
                boot_index="0" if boots else "",
                delete_on_termination="false",
            )
        )
    return volumes


def _flavor(known: _Known, volumes: Sequence[AttachedVolume]) -> Flavor:
    disks = known.announced.get("disks") or known.target.get("disks") or ()
    size = sum(disk.get("size") or 0 for disk in disks) if volumes else 0
    name = str(known.target.get("flavor") or "")
    return Flavor(
        id=name,
        name=name,
        vcpus=str(known.target.get("cpu_quantity") or 0),
        ram=str(known.target.get("memory") or 0),
        disk=str(-(-size // _GIB)),
    )


def _metadata(known: _Known) -> dict[str, str]:
    metadata = {}
    if known.receiver is not None:
        metadata["wherry.receiver_id"] = known.receiver.id
    if known.task is not None:
        metadata |= {"wherry.task_id": known.task.id, "wherry.task_state": known.task.state}
    return metadata


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
