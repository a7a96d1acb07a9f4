"""What `wherry task create` asks for, and how periods are written."""

import pytest

from wherry.cli.errors import ValueUnreadable
from wherry.cli.task_creation import Wish, creation
from wherry.cli.task_speed import read_period
from wherry.contract.disk_choice import InitTargetServer, RecommendedDisk
from wherry.contract.enumerations import SourceState
from wherry.contract.iam import PageLinks, Project
from wherry.contract.sources import SourceDetail
from wherry.migration.wanted_task import PLACEHOLDER, usual_name

PROJECT = Project(
    id="p-1", name="here", domain_id="d", parent_id="d", is_domain=False, enabled=True, description="",
    links=PageLinks(self_url="x"),
)  # fmt: skip
DISKS = [
    RecommendedDisk(name="/dev/vda", size=100, adjust_size=0, need_migration=True, device_use="BOOT"),
    RecommendedDisk(name="/dev/vdb", size=50, need_migration=False),
    RecommendedDisk(name="/dev/vdc", size=50, adjust_size=80, used_size=5),
]
SOURCE = SourceDetail(
    id="s-1", name="web 01 (shop)", add_date=1, os_type="LINUX", state=SourceState.WAITING, connected=True,
    init_target_server=InitTargetServer(disks=DISKS),
)  # fmt: skip


def test_the_receiver_makes_the_server_where_none_is_named() -> None:
    body = creation(SOURCE, PROJECT, Wish(speed_limit=100))
    assert body.target_server is not None
    assert (body.exist_server, body.target_server.vm_id) == (True, PLACEHOLDER)
    assert (body.name, body.syncing, body.speed_limit) == ("move-web-01--shop-", True, 100)
    assert (body.project_id, body.project_name) == ("p-1", "here")
    assert body.source_server is not None
    assert body.source_server.id == "s-1"


def test_the_disks_that_were_chosen_in_the_sizes_that_were_chosen() -> None:
    target = creation(SOURCE, PROJECT, Wish()).target_server
    assert target is not None
    assert [(disk.name, disk.size, disk.disk_id) for disk in target.disks or ()] == [
        ("/dev/vda", 100, "0"),
        ("/dev/vdc", 80, "2"),
    ]


def test_a_server_of_a_template_is_still_to_be_made() -> None:
    body = creation(SOURCE, PROJECT, Wish(), template_id="t-1")
    assert body.target_server is not None
    assert (body.exist_server, body.vm_template_id, body.target_server.vm_id) == (False, "t-1", None)


def test_a_server_that_exists_is_named() -> None:
    body = creation(SOURCE, PROJECT, Wish(sync=False, launch=False), name="mine", target="vm-1")
    assert body.target_server is not None
    assert (body.name, body.exist_server, body.target_server.vm_id) == ("mine", True, "vm-1")
    assert (body.syncing, body.start_target_server, body.vm_template_id) == (False, False, None)


@pytest.mark.parametrize(
    ("source", "name"), [("web-01", "move-web-01"), ("网 é", "move-网--"), ("x" * 99, "move-" + "x" * 59)]
)
def test_names_of_tasks_are_those_that_the_protocol_takes(source: str, name: str) -> None:
    assert usual_name(source) == name


def test_periods() -> None:
    period = read_period("8:00-18:00=100")
    assert (period.start, period.end, period.speed) == ("8:00", "18:00", 100)


@pytest.mark.parametrize("text", ["", "8-18=1", "8:00-18:00", "8:00-18:00=1001", "8:00-18:00=x", "8:00-18:00=-1"])
def test_what_is_no_period_is_told(text: str) -> None:
    with pytest.raises(ValueUnreadable, match="period"):
        read_period(text)
