"""Samples of a replication: far enough apart, never too many, back to the beginning."""

from itertools import pairwise
from pathlib import Path

from tests.unit.server_harness import Harness, created, registration, run, task
from wherry.contract.replication_history import ReplicationSample
from wherry.ledger import replication_samples
from wherry.ledger.replication_samples import FIRST_SPACING_MS, MOST
from wherry.ledger.transaction import Transaction


def sample(at: int) -> ReplicationSample:
    return ReplicationSample(at=at, pass_number=0, wire_bytes=at, changed_bytes=at, remaining_bytes=None)


async def some_task(plane: Harness) -> str:
    admin = await plane.admin()
    return await created(admin, "/v3/tasks", task(await created(admin, "/v3/sources", registration("alpha"))))


def test_samples_are_kept_apart_and_bounded_back_to_the_first(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        task_id = await some_task(plane)

        def fill(tx: Transaction) -> list[bool]:
            step = FIRST_SPACING_MS // 2
            return [
                replication_samples.note(tx.connection, task_id, sample(1000 + number * step))
                for number in range(6 * MOST)
            ]

        kept = await plane.services.ledger.write(fill)
        assert kept[:4] == [True, False, True, False]
        spacing_ms, found = await plane.services.ledger.read(
            lambda connection: replication_samples.of_task(connection, task_id)
        )
        assert spacing_ms == 4 * FIRST_SPACING_MS
        assert MOST // 2 <= len(found) <= MOST
        moments = [each.at for each in found]
        assert moments[0] == 1000
        assert moments == sorted(moments)
        assert all(later - earlier >= FIRST_SPACING_MS for earlier, later in pairwise(moments))
        assert found[0].wire_bytes == 1000

    run(tmp_path / "data", check)


def test_reports_of_an_agent_become_samples(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        task_id, admin = await some_task(plane), await plane.admin()
        path = f"/wherry/v1/tasks/{task_id}/replication"
        none = (await admin.get(f"{path}/samples")).json()
        assert none == {"task_id": task_id, "spacing_ms": FIRST_SPACING_MS, "samples": []}
        figures = {"phase": "copying", "wire_bytes": 7, "changed_bytes": 9, "remaining_bytes": 11}
        assert (await admin.put(path, json=figures)).status_code == 200
        (kept,) = (await admin.get(f"{path}/samples")).json()["samples"]
        at = kept.pop("at")
        assert at > 0
        assert kept == {"pass_number": 0, "wire_bytes": 7, "changed_bytes": 9, "remaining_bytes": 11}

    run(tmp_path / "data", check)


def test_a_task_that_is_deleted_takes_its_samples_along(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        task_id, admin = await some_task(plane), await plane.admin()
        await admin.put(f"/wherry/v1/tasks/{task_id}/replication", json={"phase": "copying"})
        assert (await admin.delete(f"/v3/tasks/{task_id}")).status_code == 200
        _, found = await plane.services.ledger.read(lambda connection: replication_samples.of_task(connection, task_id))
        assert found == []

    run(tmp_path / "data", check)


def test_the_machine_of_a_task_to_be_is_recommended(tmp_path: Path) -> None:
    async def check(plane: Harness) -> None:
        admin = await plane.admin()
        source = await created(admin, "/v3/sources", registration("alpha", firmware="UEFI", cpu_quantity=6))
        path = f"/wherry/v1/sources/{source}/target-machine"
        machine = (await admin.get(path)).json()
        assert (machine["firmware"], machine["vcpus"], machine["network"]) == ("UEFI", 6, "dhcp")
        refused = await admin.get(f"{path}?template_id=nobody")
        assert (refused.status_code, refused.json()["error_code"]) == (404, "SMS.7101")

    run(tmp_path / "data", check)
