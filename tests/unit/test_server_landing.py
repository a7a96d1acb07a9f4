"""Joining, receivers, routes, figures and proofs: the way of a task to the place where its disks land."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import json

from tests.unit.server_harness import Harness, created, registration, run, task

ROOT, OTHER_ROOT = "ab" * 16, "cd" * 16


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def landing(harness: Harness, admin: httpx.AsyncClient, name: str = "landing", **changes: Any) -> str:
    """Join a receiver, announce it, and return its id."""
    token = (await admin.post("/wherry/v1/join-tokens", json={"role": "receiver"})).json()["token"]
    joined = (await harness.client().post("/wherry/v1/join", json={"token": token, "name": name})).json()
    announcement = {
        "name": name,
        "data_host": "192.0.2.9",
        "data_port": 9000,
        "drivers": ["image"],
        "free_bytes": 10**12,
        "version": "0.1",
        **changes,
    }
    answer = await admin.put(f"/wherry/v1/receivers/{joined['receiver_id']}", json=announcement)
    assert answer.json() == {}, answer.text
    receiver_id: str = joined["receiver_id"]
    return receiver_id


async def moving(admin: httpx.AsyncClient, name: str = "web") -> str:
    """Register a source, create its task and return the task's id."""
    return await created(admin, "/v3/tasks", task(await created(admin, "/v3/sources", registration(name))))


def half(checkpoint: int = 1, root: str = ROOT, **changes: Any) -> dict[str, Any]:
    disk = {"index": 0, "name": "vda", "size": 65536, "granule_size": 65536, "covered": [[0, 1]], "root": root}
    return {"checkpoint": checkpoint, "taken_at": 1_700_000_000_000, "disks": [{**disk, **changes}]}


def test_a_join_token_works_once(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin, stranger = await harness.admin(), harness.client()
        made = (await admin.post("/wherry/v1/join-tokens", json={"role": "agent", "expires_s": 60})).json()
        body = {"token": made["token"], "name": "agent"}
        answers = await asyncio.gather(*(stranger.post("/wherry/v1/join", json=body) for _ in range(8)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] + [401] * 7
        joined = next(answer.json() for answer in answers if answer.status_code == 200)
        assert joined["role"] == "agent"
        assert joined["receiver_id"] == ""
        assert len({joined["access_key"], joined["secret_key"]}) == 2

    run(data, check)


def test_a_join_token_dies(data: Path) -> None:
    async def check(harness: Harness) -> None:
        made = (
            await (await harness.admin()).post("/wherry/v1/join-tokens", json={"role": "agent", "expires_s": 1})
        ).json()
        await asyncio.sleep(1.1)
        answer = await harness.client().post("/wherry/v1/join", json={"token": made["token"], "name": "late"})
        assert answer.status_code == 401

    run(data, check)


@pytest.mark.parametrize(
    "body", [{"role": "admin"}, {"role": "agent", "expires_s": 0}, {"role": "agent", "expires_s": 10**9}, {}]
)
def test_a_join_token_for_nonsense_is_refused(data: Path, body: Any) -> None:
    async def check(harness: Harness) -> None:
        answer = await (await harness.admin()).post("/wherry/v1/join-tokens", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")

    run(data, check)


def test_tokens_and_secrets_are_not_in_the_ledger(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        made = (await admin.post("/wherry/v1/join-tokens", json={"role": "agent"})).json()
        joined = (await harness.client().post("/wherry/v1/join", json={"token": made["token"], "name": "a"})).json()
        moved = await moving(admin)
        passphrase = (await admin.get(f"/v3/tasks/{moved}/passphrase")).json()["passphrase"]
        template = {"template": {"name": "small", "target_password": "hunter2-hunter2"}}
        template_id = await created(admin, "/v3/vm/templates", template)
        told = (await admin.get(f"/v3/vm/templates/{template_id}/target-password")).json()
        assert told["target_password"] == "hunter2-hunter2"
        assert "hunter2" not in (await admin.get(f"/v3/vm/templates/{template_id}")).text
        content = b"".join(path.read_bytes() for path in harness.data.glob("ledger*"))
        for secret in (made["token"], joined["secret_key"], passphrase, "hunter2-hunter2"):
            assert secret.encode() not in content

    run(data, check)


def test_the_least_busy_connected_receiver_gets_the_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        first_task = await moving(admin, "a")
        nowhere = await admin.get(f"/wherry/v1/tasks/{first_task}/route")
        assert nowhere.status_code == 404
        one, two = await landing(harness, admin, "one"), await landing(harness, admin, "two", data_port=9001)
        routes = [(await admin.get(f"/wherry/v1/tasks/{first_task}/route")).json() for _ in range(2)]
        assert (
            routes[0]
            == routes[1]
            == {
                "task_id": first_task,
                "receiver_id": one,
                "host": "192.0.2.9",
                "port": 9000,
                "server_name": f"task-{first_task}.wherry",
            }
        )
        second_task = await moving(admin, "b")
        assert (await admin.get(f"/wherry/v1/tasks/{second_task}/route")).json()["receiver_id"] == two
        listed = (await admin.get("/wherry/v1/receivers")).json()
        assert [(item["name"], item["connected"]) for item in listed["receivers"]] == [("one", True), ("two", True)]

    run(data, check)


def test_assignments_tell_the_secrets_of_the_tasks_and_change_their_version(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        receiver, moved = await landing(harness, admin), await moving(admin)
        path = f"/wherry/v1/receivers/{receiver}/assignments"
        empty = (await admin.get(path)).json()
        assert empty["assignments"] == []
        waiting = asyncio.create_task(
            admin.get(path, params={"known": empty["version"]}, headers={"Prefer": "wait=30"})
        )
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await admin.get(f"/wherry/v1/tasks/{moved}/route")
        assigned = (await asyncio.wait_for(waiting, 5)).json()
        assert assigned["version"] > empty["version"]
        (item,) = assigned["assignments"]
        assert (item["task_id"], item["state"]) == (moved, "READY")
        assert item["server_name"] == f"task-{moved}.wherry"
        keys = (await admin.get(f"/v3/tasks/{moved}/certkey")).json()
        assert item["certificate"] == keys["target_data_cert"]
        assert item["passphrase"] == (await admin.get(f"/v3/tasks/{moved}/passphrase")).json()["passphrase"]
        assert (await admin.get(path)).json() == assigned
        await admin.post(f"/v3/tasks/{moved}/action", json={"operation": "start"})
        running = (await admin.get(path, params={"known": assigned["version"]})).json()
        assert running["version"] > assigned["version"]
        assert running["assignments"][0]["state"] == "RUNNING"

    run(data, check)


def test_figures_come_back_as_they_were_sent(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        moved = await moving(admin)
        path = f"/wherry/v1/tasks/{moved}/replication"
        assert (await admin.get(path)).status_code == 404
        for text in (b'{"phase":"copying", "sent_bytes": 5,  "later_field": [1]}', b'{"phase":"done"}'):
            assert (await admin.put(path, content=text)).json() == {}
            assert (await admin.get(path)).content == text
        assert (await admin.put(path, json={"phase": "nonsense"})).status_code == 400

    run(data, check)


def test_equal_halves_make_a_signed_proof(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        moved = await moving(admin)
        path = f"/wherry/v1/tasks/{moved}/checkpoints/7"
        missing = await admin.get(f"{path}/proof")
        assert missing.status_code == 404
        assert (await admin.put(f"{path}/halves/source", json=half(7))).json() == {}
        assert (await admin.get(f"{path}/proof")).status_code == 404
        # The receiver may call the disk otherwise; the digests are what counts.
        assert (await admin.put(f"{path}/halves/receiver", json=half(7, name="disk-0.raw"))).json() == {}
        proof = (await admin.get(f"{path}/proof")).json()
        assert (await admin.get(f"/wherry/v1/tasks/{moved}/proof")).json() == proof
        assert (proof["version"], proof["task_id"], proof["checkpoint"]) == (1, moved, 7)
        signature = base64.b64decode(proof.pop("signature"))
        certificate = x509.load_pem_x509_certificate(proof["certificate"].encode())
        authority = x509.load_pem_x509_certificate((harness.data / "ca.pem").read_bytes())
        certificate.verify_directly_issued_by(authority)
        key = certificate.public_key()
        assert isinstance(key, Ed25519PublicKey)
        key.verify(signature, json.encode(proof, order="sorted"))

    run(data, check)


def test_different_halves_are_told_with_the_disk(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        path = f"/wherry/v1/tasks/{await moving(admin)}/checkpoints/1"
        await admin.put(f"{path}/halves/receiver", json=half(root=OTHER_ROOT))
        await admin.put(f"{path}/halves/source", json=half())
        answer = await admin.get(f"{path}/proof")
        assert answer.status_code == 409
        assert "vda" in answer.json()["error_msg"]
        assert (await admin.get(path.rpartition("/checkpoints")[0] + "/proof")).status_code == 404

    run(data, check)


def test_the_word_of_a_side_cannot_be_changed(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        path = f"/wherry/v1/tasks/{await moving(admin)}/checkpoints/1/halves/source"
        assert (await admin.put(path, json=half())).status_code == 200
        assert (await admin.put(path, json=half())).status_code == 200
        assert (await admin.put(path, json=half(root=OTHER_ROOT))).status_code == 409

    run(data, check)


@pytest.mark.parametrize(
    ("checkpoint", "body"),
    [
        ("2", half(1)),
        ("x", half(1)),
        ("-1", half(1)),
        ("9" * 30, half(1)),
        ("1", {**half(1), "disks": half(1)["disks"] * 2}),
        ("1", {**half(1), "disks": []}),
        ("1", half(1, root="not hex")),
        ("1", half(1, covered=[[1]])),
    ],
)
def test_halves_with_a_fault_are_refused(data: Path, checkpoint: str, body: Any) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        path = f"/wherry/v1/tasks/{await moving(admin)}/checkpoints/{checkpoint}/halves/source"
        answer = await admin.put(path, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")

    run(data, check)


def test_events_tell_the_history_of_a_task(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        moved = await moving(admin)
        await admin.post(f"/v3/tasks/{moved}/action", json={"operation": "start"})
        await admin.post(f"/v3/tasks/{moved}/action", json={"operation": "stop"})
        told = (await admin.get(f"/wherry/v1/tasks/{moved}/events")).json()
        changes = [(event["entity"], event["from"], event["to"]) for event in told["events"]]
        assert changes == [
            ("task", "", "READY"),
            ("task", "READY", "RUNNING"),
            ("source", "waiting", "initialize"),
            ("task", "RUNNING", "ABORTING"),
            ("source", "initialize", "stopping"),
        ]
        assert told["count"] == 5
        assert all(event["reason"] and event["at"] for event in told["events"])

    run(data, check)
