"""Every operation that changes something leaves its entry in the audit log, under its CTS name, in a whole chain."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.notification_doubles import RecordedWay, recorded, settled
from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.server.routes import ROUTES

NETWORK_CHECK = {
    "network_delay": 1.0,
    "network_jitter": 0.1,
    "migration_speed": 100.0,
    "loss_percentage": 0.0,
    "cpu_usage": 5.0,
    "mem_usage": 5.0,
    "evaluation_result": "excellent"[:9],
}
PROGRESS = {
    "subtask_name": "SSL_CONFIG",
    "progress": 1,
    "replicatesize": 1,
    "totalsize": 2,
    "process_trace": "",
}
PASSWORD = "only reads, never writes"
HALF = {
    "checkpoint": 1,
    "taken_at": 1,
    "disks": [{"index": 0, "name": "a", "size": 65536, "granule_size": 65536, "covered": [[0, 1]], "root": "ab" * 16}],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def do(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    """Send a request that has to go well; return its answer."""
    answer = await client.request(method, path, json=body)
    assert answer.status_code in {200, 201}, (method, path, answer.text)
    return answer.json()


async def everything(harness: Harness) -> None:
    """Carry out every operation that changes something, once at least."""
    admin, stranger = await harness.admin(), harness.client()
    secrets = json.loads((harness.data / "admin.json").read_text())
    user = {"name": "admin", "password": secrets["password"], "domain": {"name": "default"}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    await do(stranger, "POST", "/v3/auth/tokens", login)
    unwanted = await created(admin, "/wherry/v1/join-tokens", {"role": "agent"})
    await do(admin, "DELETE", f"/wherry/v1/join-tokens/{unwanted}")
    token = await do(admin, "POST", "/wherry/v1/join-tokens", {"role": "receiver"})
    joined = await do(stranger, "POST", "/wherry/v1/join", {"token": token["token"], "name": "landing"})
    announcement = {
        "name": "landing",
        "data_host": "192.0.2.9",
        "data_port": 9000,
        "drivers": ["image"],
        "free_bytes": 1,
        "version": "1",
    }
    await do(admin, "PUT", f"/wherry/v1/receivers/{joined['receiver_id']}", announcement)

    source = await created(admin, "/v3/sources", registration("one"))
    await do(admin, "PUT", f"/v3/sources/{source}", {"name": "renamed"})
    await do(admin, "PUT", f"/v3/sources/{source}/diskinfo", {"disks": registration()["disks"]})
    await do(admin, "PUT", f"/v3/sources/{source}/changestate", {"copystate": "waiting", "migrationcycle": "setting"})
    report = {"command_name": "STOP", "result": "success", "result_detail": {}}
    await do(admin, "POST", f"/v3/sources/{source}/command_result", report)

    moving = await created(admin, "/v3/tasks", task(source))
    await do(admin, "PUT", f"/v3/tasks/{moving}", {"name": "renamed"})
    await do(admin, "PUT", f"/v3/tasks/{moving}/progress", PROGRESS)
    await do(
        admin,
        "POST",
        f"/v3/tasks/{moving}/speed-limit",
        {"speed_limit": [{"start": "0:00", "end": "24:00", "speed": 5}]},
    )
    setting = {"configurations": [{"config_key": "LINUX_CPU_LIMIT", "config_value": "50"}]}
    await do(admin, "POST", f"/v3/tasks/{moving}/configuration-setting", setting)
    await do(admin, "POST", f"/v3/tasks/{moving}/consistency-result", {"consistency_result": []})
    exported = {"task_info": [{"task_id": moving}]}
    assert (await admin.post("/v3/tasks/consistency-results/export", json=exported)).status_code == 200
    await do(admin, "POST", f"/v3/{moving}/update-network-check-info", NETWORK_CHECK)
    await do(admin, "POST", f"/v3/tasks/{moving}/log", {"log_bucket": "bucket"})
    handed_in = {"taken_at": 1, "content": base64.b64encode(gzip.compress(b"{}\n")).decode()}
    await do(admin, "PUT", f"/wherry/v1/tasks/{moving}/log", handed_in)
    await do(admin, "DELETE", f"/wherry/v1/tasks/{moving}/log")
    await do(admin, "GET", f"/wherry/v1/tasks/{moving}/route")
    for side in ("source", "receiver"):
        await do(admin, "PUT", f"/wherry/v1/tasks/{moving}/checkpoints/1/halves/{side}", HALF)
    await do(admin, "POST", f"/v3/tasks/{moving}/action", {"operation": "network_check"})
    await do(admin, "DELETE", f"/v3/tasks/{moving}")
    batch = await created(admin, "/v3/tasks", task(source))
    await do(admin, "POST", "/v3/tasks/delete", {"ids": [batch]})
    await do(admin, "DELETE", f"/v3/sources/{source}")
    other = await created(admin, "/v3/sources", registration("two"))
    await do(admin, "POST", "/v3/sources/delete", {"ids": [other]})

    template = {"template": {"name": "small"}}
    first = await created(admin, "/v3/vm/templates", template)
    second = await created(admin, "/v3/vm/templates", template)
    await do(admin, "PUT", f"/v3/vm/templates/{first}", template)
    await do(admin, "DELETE", f"/v3/vm/templates/{first}")
    await do(admin, "POST", "/v3/vm/templates/delete", {"ids": [second]})
    project = await created(admin, "/v3/migprojects", {"name": "p", "region": "r", "type": "MIGRATE_BLOCK"})
    system = (await do(admin, "GET", "/v3/migprojects"))["migprojects"][0]["id"]
    await do(admin, "PUT", f"/v3/migprojects/{project}", {"description": "d"})
    await do(admin, "PUT", f"/v3/migprojects/{project}/default")
    await do(admin, "PUT", f"/v3/migprojects/{system}/default")
    await do(admin, "DELETE", f"/v3/migprojects/{project}")
    await do(admin, "POST", "/v3/privacy-agreements")
    booting = {**announcement, "drivers": ["image", "qemu"]}
    await do(admin, "PUT", f"/wherry/v1/receivers/{joined['receiver_id']}", booting)
    await land(admin, f"/wherry/v1/receivers/{joined['receiver_id']}")
    await tell_somebody(admin)
    await decide_who_may_what(harness, admin)


async def land(admin: httpx.AsyncClient, receiver: str) -> None:
    source = await created(admin, "/v3/sources", registration("three"))
    moving = await created(admin, "/v3/tasks", task(source, start_target_server=False))
    own = f"/wherry/v1/tasks/{moving}"
    await do(admin, "GET", f"{own}/route")
    await do(admin, "PUT", f"{own}/target-machine", {"vcpus": 1})
    await do(admin, "PUT", f"{own}/rehearsal-settings", {"limit_s": 60})
    await do(admin, "POST", f"{own}/rehearsals", {})
    await do(admin, "POST", f"/v3/tasks/{moving}/action", {"operation": "start"})
    for state, cycle in (("syncing", "syncing"), ("cutovering", "cutovering")):
        body = {"copystate": state, "migrationcycle": cycle}
        await do(admin, "PUT", f"/v3/sources/{source}/changestate", body)
    order = (await do(admin, "POST", f"{own}/landing", {"checkpoint": 1}))["order_id"]
    for path in ("launch", "recordings", "rollback"):
        await do(admin, "PUT", f"{receiver}/orders/{order}", {"stage": "done"})
        await do(admin, "POST", f"{own}/{path}")
        order = (await do(admin, "GET", f"{own}/landing"))["order_id"]


async def tell_somebody(admin: httpx.AsyncClient) -> None:
    hook = {"name": "room", "kind": "webhook", "url": "https://hooks.example"}
    path = f"/wherry/v1/subscriptions/{await created(admin, '/wherry/v1/subscriptions', hook)}"
    await do(admin, "PUT", path, {"name": "other room"})
    delivery = (await do(admin, "POST", f"{path}/test"))["id"]
    await settled(admin, delivery, "delivered")
    await do(admin, "POST", f"/wherry/v1/deliveries/{delivery}/repeat")
    await do(admin, "DELETE", path)


async def decide_who_may_what(harness: Harness, admin: httpx.AsyncClient) -> None:
    own = "/wherry/v1"
    await do(admin, "POST", f"{own}/accounts", {"name": "other", "password": PASSWORD})
    user = await created(admin, f"{own}/users", {"name": "rita", "password": PASSWORD})
    himself = await harness.user("rita")
    await do(himself, "POST", f"{own}/users/{user}/password", {"original_password": PASSWORD, "password": "x" * 8})
    await do(admin, "PUT", f"{own}/users/{user}", {"description": "reads"})
    key = (await do(admin, "POST", f"{own}/users/{user}/access-keys", {}))["access_key"]
    await do(admin, "PUT", f"{own}/users/{user}/access-keys/{key}", {"enabled": False})
    await do(admin, "DELETE", f"{own}/users/{user}/access-keys/{key}")
    group = await created(admin, f"{own}/groups", {"name": "readers"})
    reading = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["sms:server:queryServer"]}]}
    policy = await created(admin, f"{own}/policies", {"name": "reading", "document": reading})
    await do(admin, "PUT", f"{own}/policies/{policy}", {"description": "all of it"})
    for path in (
        f"groups/{group}/members/{user}",
        f"groups/{group}/policies/{policy}",
        f"users/{user}/policies/{policy}",
    ):
        await do(admin, "PUT", f"{own}/{path}")
        await do(admin, "DELETE", f"{own}/{path}")
    for path in (f"policies/{policy}", f"groups/{group}"):
        await do(admin, "DELETE", f"{own}/{path}")
    token = {"auth": {"identity": {"methods": ["token"], "token": {}}}}
    himself = await harness.user("rita")
    made = await himself.post("/v3.0/OS-CREDENTIAL/securitytokens", json=token)
    assert made.status_code == 201, made.text
    ended = await himself.delete("/v3/auth/tokens", headers={"X-Subject-Token": himself.headers["X-Auth-Token"]})
    assert ended.status_code == 204
    await do(admin, "DELETE", f"{own}/users/{user}")


def test_every_operation_that_changes_something_leaves_its_entry(data: Path) -> None:
    async def check(harness: Harness) -> None:
        await everything(harness)
        entries = await harness.audit_entries()
        written = {(entry.resource_type, entry.event) for entry in entries}
        wanted = {(route.audit.resource_type, route.audit.event) for route in ROUTES if route.audit is not None}
        assert wanted - written == set()
        for entry in entries:
            assert entry.request_id
            assert entry.caller_id
            assert entry.resource_id
            assert entry.at > 0

    run(data, check, notifications=recorded(RecordedWay()))


def test_what_is_refused_leaves_no_entry(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        before = await harness.audit_entries()
        for method, path, body in (
            ("POST", "/v3/sources", {"name": "x"}),
            ("POST", "/v3/tasks", task("00000000-0000-4000-8000-000000000000")),
            ("DELETE", "/v3/sources/nothing", None),
            ("POST", "/v3/sources/delete", {"ids": ["nothing"]}),
        ):
            assert (await admin.request(method, path, json=body)).status_code in {400, 404}
        assert await harness.audit_entries() == before

    run(data, check)


def test_a_batch_is_deleted_as_a_whole_or_not_at_all(data: Path) -> None:
    async def check(harness: Harness) -> None:
        admin = await harness.admin()
        source = await created(admin, "/v3/sources", registration("one"))
        answer = await admin.post("/v3/sources/delete", json={"ids": [source, "nothing"]})
        assert answer.status_code == 404
        assert (await admin.get(f"/v3/sources/{source}")).status_code == 200

    run(data, check)
