"""Which tasks may be created, which may be deleted."""

from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wherry.contract.enumerations import MigrationCycle, OsType, SourceState, TaskState
from wherry.contract.errors import ApiError
from wherry.contract.sources import Registration
from wherry.contract.storage import Disk
from wherry.contract.tasks import TaskCreation
from wherry.migration import creation, deletion
from wherry.migration.disk_choice import Choices, shown
from wherry.migration.records import SetSourceState, SourceRecord, TaskRecord, WithdrawCommands

GIB = 1 << 30
SOURCE = SourceRecord("s", SourceState.WAITING, MigrationCycle.SETTING, connected=True)
REGISTERED = Registration(
    name="web", os_type=OsType.LINUX, disks=[Disk(name="/dev/vda", size=10 * GIB, used_size=2 * GIB)]
)
TASK = TaskRecord("t", "s", TaskState.READY, "MIGRATE_BLOCK", "LINUX", syncing=True, exist_server=True)
BODY: dict[str, Any] = {
    "name": "MigrationTask",
    "type": "MIGRATE_BLOCK",
    "os_type": "LINUX",
    "source_server": {"id": "s"},
    "target_server": {"name": "n", "vm_id": "v", "disks": [{"disk_id": "", "name": "disk 0", "size": 10 * GIB}]},
    "region_name": "r",
    "region_id": "r",
    "project_name": "p",
    "project_id": "p",
}


def create(
    body: dict[str, Any],
    source: SourceRecord | None = SOURCE,
    registration: Registration | None = REGISTERED,
    current: TaskRecord | None = None,
    *,
    taken: bool = False,
    choices: Choices = MappingProxyType({}),
) -> None:
    request = msgspec.convert(body, TaskCreation, strict=False)
    creation.validate(
        request, source, registration=registration, choices=choices, current_task=current, target_taken=taken
    )


def refusal(body: dict[str, Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ApiError) as caught:
        create(body, *args, **kwargs)
    return caught.value.code


def with_disk(**disk: Any) -> dict[str, Any]:
    return {**BODY, "target_server": {"name": "n", "vm_id": "v", "disks": [{"disk_id": "d", **disk}]}}


def test_a_plain_task_passes() -> None:
    create(BODY)


def test_a_bare_registration_can_be_migrated() -> None:
    bare = Registration(name="web", os_type=OsType.LINUX)
    create({**BODY, "target_server": {"name": "n", "vm_id": "v"}}, registration=bare)


def test_a_task_with_a_template_needs_no_server() -> None:
    target = {"disks": [{"name": "disk 0", "size": 10 * GIB}]}
    create({**BODY, "target_server": target, "exist_server": False, "vm_template_id": "x"})
    create({**BODY, "target_server": target, "vm_template_id": "x"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": ""}, "SMS.7711"),
        ({"name": "a b"}, "SMS.7711"),
        ({"name": "line\n"}, "SMS.7711"),
        ({"name": "x" * 65}, "SMS.7711"),
        ({"type": "MIGRATE_EVERYTHING"}, "SMS.7712"),
        ({"os_type": "BEOS"}, "SMS.6601"),
        ({"os_type": "WINDOWS"}, "SMS.6601"),
        ({"migration_ip": "nowhere"}, "SMS.6602"),
        ({"migration_ip": "::1"}, "SMS.6602"),
        ({"migration_ip": "10.0.0.1", "use_ipv6": True}, "SMS.6602"),
        ({"source_server": None}, "SMS.6030"),
        ({"source_server": {"id": ""}}, "SMS.6030"),
        ({"target_server": None}, "SMS.6031"),
        ({"target_server": {"name": "n", "disks": []}}, "SMS.6032"),
        ({"target_server": {"name": "n", "vm_id": "v"}}, "SMS.6033"),
        ({"target_server": {"name": "n", "vm_id": "v", "disks": [{"name": "disk 0"}]}}, "SMS.6103"),
    ],
)
def test_body_faults_have_their_codes(change: dict[str, Any], code: str) -> None:
    assert refusal({**BODY, **change}) == code


@pytest.mark.parametrize("change", [{"migration_ip": "10.0.0.1"}, {"migration_ip": ""}, {"name": "迁移-任务_1"}])
def test_what_is_in_order_passes(change: dict[str, Any]) -> None:
    create({**BODY, **change})


def test_faults_of_disks_have_their_codes() -> None:
    assert refusal(with_disk(size=10 * GIB, physical_volumes=[{"size": 1}])) == "SMS.6104"
    assert refusal(with_disk(size=GIB, physical_volumes=[{"name": "a", "size": GIB + 1}])) == "SMS.6614"
    assert refusal(with_disk(size=10 * GIB - 1)) == "SMS.0515"
    create(with_disk(size=11 * GIB))
    create(with_disk())


def test_every_disk_of_the_source_needs_a_counterpart() -> None:
    two = msgspec.structs.replace(REGISTERED, disks=[Disk(name="/dev/vda", size=GIB), Disk(name="/dev/vdb", size=GIB)])
    assert refusal(with_disk(size=GIB), registration=two) == "SMS.0515"
    extra = {**BODY["target_server"], "disks": [{"disk_id": "a", "size": GIB}] * 3}
    create({**BODY, "target_server": extra}, registration=two)


def test_only_disks_that_were_chosen_need_a_counterpart_and_of_the_chosen_size() -> None:
    two = msgspec.structs.replace(REGISTERED, disks=[Disk(name="/dev/vda", size=GIB), Disk(name="/dev/vdb", size=GIB)])
    first, second = (str(disk["id"]) for disk in shown("s", msgspec.to_builtins(two), {})["disks"])
    create(with_disk(size=GIB), registration=two, choices={second: {"need_migration": False}})
    none: Choices = {disk: {"need_migration": False} for disk in (first, second)}
    assert refusal(with_disk(size=GIB), registration=two, choices=none) == "SMS.0515"
    grown: Choices = {first: {"adjust_size": 2 * GIB}, second: {"need_migration": False}}
    assert refusal(with_disk(size=2 * GIB - 1), registration=two, choices=grown) == "SMS.0515"
    create(with_disk(size=2 * GIB), registration=two, choices=grown)


def test_migration_by_file_needs_room_for_what_is_used_only() -> None:
    body = {**with_disk(size=3 * GIB), "type": "MIGRATE_FILE"}
    create(body)
    assert refusal(body, registration=msgspec.structs.replace(REGISTERED, has_rsync=False)) == "SMS.6517"
    windows = msgspec.structs.replace(REGISTERED, os_type=OsType.WINDOWS)
    assert refusal({**body, "os_type": "WINDOWS"}, registration=windows) == "SMS.6610"


def test_the_source_must_be_there_and_ready() -> None:
    assert refusal(BODY, None, None) == "SMS.7602"
    assert refusal(BODY, structs.replace(SOURCE, state=SourceState.UNAVAILABLE)) == "SMS.6520"
    assert refusal(BODY, structs.replace(SOURCE, connected=False)) == "SMS.6603"
    assert refusal(BODY, current=TASK) == "SMS.7605"
    assert refusal(BODY, taken=True) == "SMS.7605"


def test_a_placeholder_is_no_target_that_could_be_taken() -> None:
    def target(**body: Any) -> str:
        return creation.target_of(msgspec.convert({**BODY, **body}, TaskCreation))

    assert target() == "v"
    assert target(exist_server=False) == ""
    assert target(target_server={"vm_id": "00000000-0000-0000-0000-000000000000"}) == ""


@given(state=st.sampled_from(SourceState), connected=st.booleans(), task_state=st.sampled_from(TaskState))
def test_deletion_is_refused_only_while_the_source_is_connected_and_busy(
    state: SourceState, connected: bool, task_state: TaskState
) -> None:
    source = SourceRecord("s", state, MigrationCycle.REPLICATING, connected)
    task = structs.replace(TASK, state=task_state)
    deletion.check_source(source, None)
    if connected and state in deletion.BUSY:
        with pytest.raises(ApiError, match=state):
            deletion.delete_task(source, task)
        with pytest.raises(ApiError, match=state):
            deletion.check_source(source, task)
        return
    deletion.check_source(source, task)
    changes = deletion.delete_task(source, task)
    assert isinstance(changes[0], WithdrawCommands)
    returned = [change for change in changes if isinstance(change, SetSourceState)]
    expected = [] if state is SourceState.UNAVAILABLE else [SetSourceState(SourceState.WAITING, MigrationCycle.SETTING)]
    assert returned == expected


def test_a_task_without_a_source_can_be_deleted() -> None:
    assert deletion.delete_task(None, TASK) == []
