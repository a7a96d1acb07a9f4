"""Whether a task may be created, each fault with the code that clients know.

Source: the protocol reference, "api" 5.1. Nothing is filled in or changed here: the ledger keeps
the request as it came.
"""

import ipaddress
import re
from collections.abc import Sequence
from itertools import zip_longest
from types import MappingProxyType

from msgspec import convert, to_builtins

from wherry.contract.disk_choice import ChosenDisk
from wherry.contract.enumerations import OsType, SourceState, TaskType
from wherry.contract.errors import ApiError
from wherry.contract.sources import Registration
from wherry.contract.storage import WantedDisk
from wherry.contract.tasks import TaskCreation, WantedTarget
from wherry.migration import disk_choice
from wherry.migration.disk_choice import Choices
from wherry.migration.records import SourceRecord, TaskRecord

_NAME = re.compile(r"[A-Za-z0-9_\-\u4e00-\u9fa5]{1,64}")
_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"


def validate(
    request: TaskCreation,
    source: SourceRecord | None,
    *,
    registration: Registration | None,
    choices: Choices = MappingProxyType({}),
    current_task: TaskRecord | None,
    target_taken: bool = False,
) -> None:
    """Return when the task may be created.

    Args:
        request: the body of CreateTask.
        source: the source it names; None when the account has no such source.
        registration: what the source registered, with the disk facts that came since.
        choices: what was chosen for its disks.
        current_task: the task that the source already has.
        target_taken: whether another task of the account migrates to `target_of(request)`.

    Raises ApiError with the code of the first fault: body first, then the source, then the disks.
    """
    _check_words(request)
    _check_address(request)
    target = _checked_target(request)
    if request.source_server is None or not request.source_server.id:
        raise ApiError("SMS.6030", params=("source_server.id",))
    if source is None or registration is None:
        raise ApiError("SMS.7602", request.source_server.id, params=(request.source_server.id,))
    _check_source(source, current_task, target_taken=target_taken)
    _check_kind(request, registration)
    _check_disks(request, target.disks or (), _migrated(source.id, registration, choices))


def target_of(request: TaskCreation) -> str:
    """Return the id of the server that the task migrates to; empty when it's still to be created or a placeholder."""
    if request.target_server is None or not _has_server(request):
        return ""
    vm_id = request.target_server.vm_id or ""
    return "" if vm_id == _PLACEHOLDER else vm_id


def _has_server(request: TaskCreation) -> bool:
    """Whether the target exists. Where the request doesn't say, a template means that it's to be created."""
    return not request.vm_template_id if request.exist_server is None else request.exist_server


def _check_words(request: TaskCreation) -> None:
    if not _NAME.fullmatch(request.name):
        raise ApiError("SMS.7711", params=("name",))
    if request.type not in set(TaskType):
        raise ApiError("SMS.7712", params=("type",))
    if request.os_type and request.os_type not in set(OsType):
        raise ApiError("SMS.6601", params=("os_type",))


def _check_address(request: TaskCreation) -> None:
    if not request.migration_ip:
        return
    wanted = 6 if request.use_ipv6 else 4
    try:
        fits = ipaddress.ip_address(request.migration_ip).version == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ApiError("SMS.6602", f"an IPv{wanted} address is needed", params=("migration_ip",))


def _checked_target(request: TaskCreation) -> WantedTarget:
    target = request.target_server
    if target is None:
        raise ApiError("SMS.6031", params=("target_server",))
    exists = _has_server(request)
    if exists and not target.vm_id:
        raise ApiError("SMS.6032", params=("target_server.vm_id",))
    for index, disk in enumerate(target.disks or ()):
        _check_disk(disk, f"target_server.disks[{index}]", exists=exists)
    return target


def _check_disk(disk: WantedDisk, place: str, *, exists: bool) -> None:
    # Clients that know no id send an empty text; only what was left out altogether is a fault.
    if exists and disk.disk_id is None:
        raise ApiError("SMS.6103", place, params=(f"{place}.disk_id",))
    partitions = disk.physical_volumes or ()
    if any(not partition.name for partition in partitions):
        raise ApiError("SMS.6104", place, params=(f"{place}.physical_volumes",))
    if disk.size is not None and disk.size < sum(partition.size or 0 for partition in partitions):
        raise ApiError("SMS.6614", place, params=(f"{place}.size",))


def _check_source(source: SourceRecord, current_task: TaskRecord | None, *, target_taken: bool) -> None:
    if source.state is SourceState.UNAVAILABLE:
        raise ApiError("SMS.6520", params=(source.id,))
    if not source.connected:
        raise ApiError("SMS.6603", params=(source.id,))
    if current_task is not None:
        raise ApiError("SMS.7605", f"the source has the task {current_task.id}", params=(current_task.id,))
    if target_taken:
        raise ApiError("SMS.7605", "the target has another task", params=("target_server.vm_id",))


def _check_kind(request: TaskCreation, registration: Registration) -> None:
    if request.os_type and registration.os_type and request.os_type != registration.os_type:
        raise ApiError("SMS.6601", f"the source registered {registration.os_type}", params=("os_type",))
    if request.type != TaskType.MIGRATE_FILE:
        return
    if OsType.WINDOWS in {request.os_type, registration.os_type}:
        raise ApiError("SMS.6610", params=("type",))
    if registration.has_rsync is False:
        raise ApiError("SMS.6517", params=("type",))


def _migrated(source_id: str, registration: Registration, choices: Choices) -> Sequence[ChosenDisk]:
    """Return the disks that are to be migrated. Raises ApiError SMS.0515 when every one was left out."""
    shown = disk_choice.shown(source_id, to_builtins(registration), choices).get("disks", [])
    migrated = [disk for disk in convert(shown, list[ChosenDisk]) if disk.need_migration is not False]
    if shown and not migrated:
        raise ApiError("SMS.0515", "every disk of the source was left out of the migration", params=(source_id,))
    return migrated


def _check_disks(request: TaskCreation, wanted: Sequence[WantedDisk], registered: Sequence[ChosenDisk]) -> None:
    """Compare the disks that are migrated by their order. A target may have more disks, and larger ones."""
    if registered and not wanted:
        raise ApiError("SMS.6033", params=("target_server.disks",))
    by_file = request.type == TaskType.MIGRATE_FILE
    for index, (target, disk) in enumerate(zip_longest(wanted, registered)):
        if disk is None:
            return
        if target is None:
            raise ApiError("SMS.0515", f"the source's disk {disk.name} has no counterpart", params=(disk.name or "",))
        needed = max((disk.used_size if by_file else disk.size) or 0, disk.adjust_size or 0)
        if target.size is not None and target.size < needed:
            raise ApiError(
                "SMS.0515",
                f"disk {index} has {target.size} bytes, the source's {disk.name} needs {needed}",
                params=(disk.name or "", str(needed)),
            )
