"""The ECS corner: target servers as Terraform looks them up, and tasks that land where their target is."""

import uuid
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.contract import documents
from tests.contract.people import READ_ONLY, make_account, make_user
from tests.contract.running import JoinAs, Raw, Server

GIB = 1 << 30


def path(server_id: str, project_id: str = "any-project") -> str:
    return f"/v1/{project_id}/cloudservers/{server_id}"


def shown(raw: Raw, server_id: str) -> Any:
    return raw.get(path(server_id))["server"]


class Receiver:
    """A receiver that announces itself as it's told."""

    def __init__(self, raw: Raw, join_as: JoinAs, name: str) -> None:
        access_key, secret_key, self.id = join_as("receiver", name)
        self._key = access_key, secret_key
        self._raw = raw
        self.name = name

    def announce(self, **changes: Any) -> httpx.Response:
        body = {
            "name": self.name,
            "data_host": "192.0.2.40",
            "data_port": 7443,
            "drivers": ["device"],
            "free_bytes": 0,
            "version": "0.1",
        }
        return self._raw.signed("PUT", f"/wherry/v1/receivers/{self.id}", body={**body, **changes}, key=self._key)


@pytest.fixture
def receiver(raw: Raw, join_as: JoinAs) -> Receiver:
    made = Receiver(raw, join_as, f"hall-{uuid.uuid4().hex[:6]}")
    assert made.announce().status_code == 200
    return made


def test_the_target_of_a_task(raw: Raw, server: Server, source_id: str, task_id: str) -> None:
    vm_id = raw.get(f"/v3/tasks/{task_id}")["target_server"]["vm_id"]
    found = shown(raw, vm_id)
    assert (found["id"], found["name"], found["status"]) == (vm_id, "target-web-01", "ACTIVE")
    assert found["tenant_id"] == server.admin.project_id
    assert [address["addr"] for address in found["addresses"]["wherry"]] == ["198.51.100.7"]
    assert found["addresses"]["wherry"][0]["OS-EXT-IPS:type"] == "floating"
    (volume,) = found["os-extended-volumes:volumes_attached"]
    assert volume == {
        "id": documents.TARGET_DISK["disk_id"],
        "device": "/dev/vda",
        "bootIndex": "0",
        "delete_on_termination": "false",
    }
    assert found["flavor"]["disk"] == "21"
    assert found["metadata"] == {"wherry.task_id": task_id, "wherry.task_state": "READY"}
    assert raw.signed("DELETE", f"/v3/tasks/{task_id}").status_code == 200
    gone = raw.signed("GET", path(vm_id))
    assert (gone.status_code, gone.json()["error_code"]) == (404, "WHERRY.5812")


def test_the_types_are_those_that_go_clients_insist_on(raw: Raw, task_id: str) -> None:
    found = shown(raw, raw.get(f"/v3/tasks/{task_id}")["target_server"]["vm_id"])
    for name in ("created", "updated"):
        assert datetime.fromisoformat(found[name]).tzinfo is not None
    assert all(isinstance(value, str) for value in found["flavor"].values())
    assert all(isinstance(value, str) for value in found["metadata"].values())
    assert isinstance(found["progress"], int)
    assert isinstance(found["OS-EXT-STS:power_state"], int)
    assert isinstance(found["locked"], bool)
    assert found["tags"] == []
    assert found["security_groups"] == []


def test_a_receiver_is_a_server_itself(raw: Raw, receiver: Receiver) -> None:
    found = shown(raw, receiver.id)
    assert (found["id"], found["name"], found["status"]) == (receiver.id, receiver.name, "ACTIVE")
    assert [address["addr"] for address in found["addresses"]["wherry"]] == ["192.0.2.40"]
    assert found["os-extended-volumes:volumes_attached"] == []
    assert found["metadata"]["wherry.receiver_id"] == receiver.id


def test_servers_that_a_receiver_announces(raw: Raw, receiver: Receiver) -> None:
    machine_id = f"machine-{uuid.uuid4().hex[:8]}"
    machine = {
        "id": machine_id,
        "name": "shelf-7",
        "addresses": ["192.0.2.77", "2001:db8::77", "shelf-7.example"],
        "disks": [{"size": 20 * GIB, "device_use": "BOOT", "disk_id": "d1"}, {"size": GIB + 1, "name": "data"}],
    }
    assert receiver.announce(servers=[machine]).status_code == 200
    found = shown(raw, machine_id)
    assert (found["name"], found["hostId"], found["status"]) == ("shelf-7", receiver.id, "ACTIVE")
    assert [address["version"] for address in found["addresses"]["wherry"]] == ["4", "6"]
    volumes = found["os-extended-volumes:volumes_attached"]
    assert [(volume["id"], volume["bootIndex"]) for volume in volumes] == [("d1", "0"), (f"{machine_id}-1", "")]
    assert found["flavor"]["disk"] == "22"
    assert receiver.announce(servers=[{**machine, "runs": False}]).status_code == 200
    stopped = shown(raw, machine_id)
    assert (stopped["status"], stopped["OS-EXT-STS:power_state"], stopped["OS-EXT-STS:vm_state"]) == (
        "SHUTOFF",
        4,
        "stopped",
    )
    assert receiver.announce().status_code == 200
    assert raw.signed("GET", path(machine_id)).status_code == 404


def test_a_task_goes_to_the_receiver_where_its_target_is(
    raw: Raw, join_as: JoinAs, receiver: Receiver, source_id: str
) -> None:
    other = Receiver(raw, join_as, "idle")
    assert other.announce().status_code == 200
    assert receiver.announce(servers=[{"id": "the-very-machine"}]).status_code == 200
    target = {**documents.task(source_id)["target_server"], "vm_id": "the-very-machine"}
    task_id = raw.post("/v3/tasks", documents.task(source_id, target_server=target))["id"]
    assert raw.get(f"/wherry/v1/tasks/{task_id}/route")["receiver_id"] == receiver.id
    found = shown(raw, "the-very-machine")
    assert found["metadata"] == {
        "wherry.receiver_id": receiver.id,
        "wherry.task_id": task_id,
        "wherry.task_state": "READY",
    }
    raw.signed("DELETE", f"/v3/tasks/{task_id}")
    assert receiver.announce().status_code == 200


@pytest.mark.parametrize(
    "servers",
    [[{}], [{"id": ""}], [{"id": "x" * 37}], [{"id": "x", "disks": [{"size": -1}]}], [{"id": 7}], "x", [None]],
)
def test_servers_that_are_none_are_refused(receiver: Receiver, servers: Any) -> None:
    answer = receiver.announce(servers=servers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")


def test_who_may_look(raw: Raw, receiver: Receiver) -> None:
    reader, nobody = make_user(raw, "reader", READ_ONLY), make_user(raw, "nobody")
    assert raw.signed("GET", path(receiver.id), key=reader.key).status_code == 200
    refusal = raw.signed("GET", path(receiver.id), key=nobody.key)
    assert refusal.status_code == 403
    assert "ecs:cloudServers:showServer" in refusal.json()["error_param"][0]
    stranger = make_account(raw, "elsewhere")
    key = stranger["access_key"], stranger["secret_key"]
    assert raw.signed("GET", path(receiver.id), key=key).status_code == 404
    assert raw.signed("GET", path("x" * 37)).status_code == 400
