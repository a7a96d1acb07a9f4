"""Source servers, as the vendor's client and plain HTTP see them: what was registered comes back exactly."""

import time

import pytest
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import documents
from tests.contract.documents import as_registered
from tests.contract.running import Raw
from tests.contract.vendor import build

# What ShowServer gives back of a registration, outside its published definition too.
RETURNED = sorted(set(documents.registration()) - {"domain_id", "migration_cycle"})


def vendor_registration(name: str) -> v3.PostSourceServerBody:
    """The registration built from the vendor's model classes, every field set."""
    return build(v3.PostSourceServerBody, documents.registration(name))


def test_a_registration_by_the_vendors_client_comes_back_field_by_field(sdk: SmsClient) -> None:
    body = vendor_registration("Vendor-01")
    source_id = sdk.register_server(v3.RegisterServerRequest(body=body)).id
    shown = sdk.show_server(v3.ShowServerRequest(source_id=source_id))
    assert shown.id == source_id
    for name in ("name", "ip", "hostname", "os_type", "os_version", "firmware", "cpu_quantity", "memory", "state"):
        assert getattr(shown, name) == getattr(body, name), name
    for name in (
        "oem_system",
        "agent_version",
        "has_tc",
        "start_type",
        "disks",
        "volume_groups",
        "btrfs_list",
        "networks",
    ):
        assert getattr(shown, name) == getattr(body, name), name
    assert shown.connected is True
    assert shown.migration_cycle == "setting"
    assert shown.current_task is None
    now = time.time() * 1000
    for moment in (shown.add_date, shown.last_visit_time, shown.state_action_time, shown.stage_action_time):
        assert now - 60_000 < moment <= now + 1000
    assert {check.result for check in shown.checks} <= {"OK", "WARN", "ERROR"}
    assert len(shown.checks) >= 10
    assert shown.init_target_server.disks[0].size >= documents.DISK["size"]


@pytest.mark.parametrize("field", RETURNED)
def test_show_gives_back_what_was_registered(raw: Raw, field: str) -> None:
    document = documents.registration("Exact-Case ü")
    source_id = raw.post("/v3/sources", document)["id"]
    shown = raw.get(f"/v3/sources/{source_id}")[field]
    assert (as_registered(shown) if field in {"disks", "volume_groups"} else shown) == document[field]


def test_nothing_is_filled_in_that_was_not_sent(raw: Raw) -> None:
    sent = {"name": "bare", "os_type": "LINUX", "os_version": "DEBIAN_12_64", "agent_version": "1", "ip": "192.0.2.1"}
    source_id = raw.post("/v3/sources", sent)["id"]
    shown = raw.get(f"/v3/sources/{source_id}")
    for field in ("disks", "volume_groups", "btrfs_list", "networks", "firmware", "hostname", "memory", "start_type"):
        assert shown.get(field) is None, field
    assert shown["add_date"] > 0
    assert shown["state"] == "waiting"
    missing = [check for check in shown["checks"] if check["result"] == "WARN"]
    assert len(missing) >= 5
    assert all(check["error_code"] and check["error_or_warn"] and check["params"] for check in missing)


def test_what_stands_in_the_way_of_a_migration_makes_a_source_unavailable(raw: Raw) -> None:
    source_id = raw.post("/v3/sources", documents.registration("lilo", boot_loader="LILO", state=None))["id"]
    shown = raw.get(f"/v3/sources/{source_id}")
    assert shown["state"] == "unavailable"
    (failed,) = [check for check in shown["checks"] if check["result"] == "ERROR"]
    assert failed["name"] == "BOOT_LOADER"
    again = documents.registration("grub", id=source_id, state=None)
    assert raw.post("/v3/sources", again)["id"] == source_id
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "waiting"


def test_registering_again_with_the_id_updates_the_same_record(raw: Raw, source_id: str) -> None:
    again = documents.registration("renamed", id=source_id, memory=32768)
    assert raw.post("/v3/sources", again)["id"] == source_id
    shown = raw.get(f"/v3/sources/{source_id}")
    assert (shown["name"], shown["memory"]) == ("renamed", 32768)


def test_types_are_strict_in_answers(raw: Raw, source_id: str) -> None:
    shown = raw.get(f"/v3/sources/{source_id}")
    for field in ("add_date", "memory", "cpu_quantity", "last_visit_time", "state_action_time", "stage_action_time"):
        assert type(shown[field]) is int, field
    assert type(shown["checks"][0]["id"]) is int
    assert type(shown["checks"][0].get("error_params", "")) is str
    assert type(shown["disks"][0]["size"]) is int
    assert type(shown["networks"][0]["id"]) is str
    assert shown.get("current_task") is None


def test_the_list_filters_and_pages(raw: Raw, sdk: SmsClient) -> None:
    ids = [raw.post("/v3/sources", documents.registration(f"paged-{n}", ip="192.0.2.77"))["id"] for n in range(3)]
    found = sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", limit=200))
    assert found.count == 3
    assert {item.id for item in found.source_servers} == set(ids)
    one = sdk.list_servers(v3.ListServersRequest(id=ids[1]))
    assert [item.id for item in one.source_servers] == [ids[1]]
    assert sdk.list_servers(v3.ListServersRequest(name="paged-2")).source_servers[0].id == ids[2]
    first = sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", limit=2, offset=0))
    second = sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", limit=2, offset=2))
    assert (first.count, len(first.source_servers)) == (3, 2)
    assert (second.count, len(second.source_servers)) == (3, 1)
    assert {item.id for item in [*first.source_servers, *second.source_servers]} == set(ids)
    beyond = sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", offset=100))
    assert (beyond.count, beyond.source_servers) == (3, [])
    assert sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", state="finished")).count == 0
    assert sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", state="waiting", connected=True)).count == 3
    assert sdk.list_servers(v3.ListServersRequest(ip="192.0.2.77", migration_cycle="setting")).count == 3


def test_a_list_item_is_shorter_than_the_server_itself(raw: Raw, source_id: str) -> None:
    answer = raw.signed("GET", "/v3/sources", query=f"id={source_id}").json()
    assert [name for name, value in answer.items() if isinstance(value, list)] == ["source_servers"]
    (item,) = answer["source_servers"]
    assert not {"disks", "networks", "hostname", "firmware", "agent_version"} & item.keys()
    assert item["connected"] is True
    assert type(item["add_date"]) is int


def test_disk_information_is_replaced_while_the_source_waits(raw: Raw, sdk: SmsClient, source_id: str) -> None:
    disk = documents.DISK | {"name": "/dev/vdz", "size": 5 * documents.GIB}
    group = documents.VOLUME_GROUP | {"name": "other"}
    filesystem = documents.BTRFS | {"name": "other"}
    body = build(v3.PutDiskInfoReq, {"disks": [disk], "volumegroups": [group], "btrfs_list": [filesystem]})
    sdk.update_disk_info(v3.UpdateDiskInfoRequest(source_id=source_id, body=body))
    shown = raw.get(f"/v3/sources/{source_id}")
    assert (as_registered(shown["disks"]), as_registered(shown["volume_groups"])) == ([disk], [group])
    assert shown["btrfs_list"] == [filesystem]
    assert raw.put(f"/v3/sources/{source_id}/diskinfo", {"disks": [documents.DISK]}) == {}
    shown = raw.get(f"/v3/sources/{source_id}")
    assert as_registered(shown["disks"]) == [documents.DISK]
    assert not shown.get("volume_groups")
    assert not shown.get("btrfs_list")


def test_what_was_chosen_for_the_disks_outlives_the_agents_restart(raw: Raw) -> None:
    data = documents.DISK | {"name": "/dev/vdb", "physical_volumes": []}
    body = documents.registration("choosing", disks=[documents.DISK, data])
    source_id = raw.post("/v3/sources", body)["id"]
    first, second = raw.get(f"/v3/sources/{source_id}")["disks"]
    assert "need_migration" not in first, "nothing is filled in"
    # The ids are numbers in reads, as typed clients have them there, and texts in the published body.
    assert type(first["id"]) is type(first["physical_volumes"][0]["id"]) is int
    chosen = {"id": str(second["id"]), "need_migration": False, "adjust_size": 0}
    assert raw.put(f"/v3/sources/{source_id}", {"disks": [chosen]}) == {}
    raw.put(f"/v3/sources/{source_id}", {"disks": [{"id": first["id"], "adjust_size": 40 * documents.GIB}]})
    expected = [{**first, "adjust_size": 40 * documents.GIB}, {**second, "need_migration": False, "adjust_size": 0}]

    def shown() -> list[documents.Json]:
        answer = raw.get(f"/v3/sources/{source_id}")
        assert [disk["id"] for disk in answer["init_target_server"]["disks"]] == [
            each["id"] for each in answer["disks"]
        ]
        disks: list[documents.Json] = answer["disks"]
        return disks

    assert shown() == expected
    raw.post("/v3/sources", body | {"id": source_id, "name": "choosing-again"})
    assert shown() == expected
    raw.put(f"/v3/sources/{source_id}/diskinfo", {"disks": [data, documents.DISK]})
    assert shown() == expected[::-1]
    raw.put(f"/v3/sources/{source_id}/diskinfo", {"disks": [documents.DISK]})
    raw.post("/v3/sources", body | {"id": source_id})
    assert shown() == [expected[0], second], "what was chosen for a disk goes with it"


def test_a_choice_for_a_disk_that_is_not_there_is_refused_and_nothing_is_changed(raw: Raw, source_id: str) -> None:
    before = raw.get(f"/v3/sources/{source_id}")
    update = {"name": "not-renamed", "disks": [{"id": "1", "need_migration": False}]}
    answer = raw.signed("PUT", f"/v3/sources/{source_id}", body=update)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SMS.9001")
    assert "disks[0].id" in answer.json()["error_msg"]
    assert raw.get(f"/v3/sources/{source_id}") == before


def test_a_choice_counts_while_the_source_waits_only(raw: Raw, source_id: str, task_id: str) -> None:
    (disk,) = raw.get(f"/v3/sources/{source_id}")["disks"]
    for chosen in (disk["id"], "of nothing"):
        assert raw.put(f"/v3/sources/{source_id}", {"disks": [{"id": chosen, "need_migration": False}]}) == {}
    assert raw.get(f"/v3/sources/{source_id}")["disks"] == [disk]


def test_a_disk_that_is_left_out_needs_no_counterpart(raw: Raw) -> None:
    other = documents.DISK | {"name": "/dev/vdb"}
    source_id = raw.post("/v3/sources", documents.registration("partly", disks=[documents.DISK, other]))["id"]
    answer = raw.signed("POST", "/v3/tasks", body=documents.task(source_id))
    assert answer.json()["error_code"] == "SMS.0515"
    _, second = raw.get(f"/v3/sources/{source_id}")["disks"]
    raw.put(f"/v3/sources/{source_id}", {"disks": [{"id": str(second["id"]), "need_migration": False}]})
    assert raw.post("/v3/tasks", documents.task(source_id))["id"]


def test_copy_state_moves_the_source(raw: Raw, sdk: SmsClient, task_id: str, source_id: str) -> None:
    raw.post(f"/v3/tasks/{task_id}/action", {"operation": "start"})
    body = v3.PutCopyStateReq(copystate="replicate", migrationcycle="replicating")
    sdk.update_copy_state(v3.UpdateCopyStateRequest(source_id=source_id, body=body))
    shown = sdk.show_server(v3.ShowServerRequest(source_id=source_id))
    assert (shown.state, shown.migration_cycle) == ("replicate", "replicating")
    assert shown.current_task.id == task_id
    assert shown.current_task.clone_server is None


def test_init_is_written_and_initialize_is_read(raw: Raw, source_id: str) -> None:
    assert raw.put(f"/v3/sources/{source_id}/changestate", {"copystate": "init", "migrationcycle": "replicating"}) == {}
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "initialize"


def test_a_guarded_source_takes_any_copy_state_and_keeps_its_own(raw: Raw) -> None:
    document = documents.registration("guarded", boot_loader="LILO", state=None)
    source_id = raw.post("/v3/sources", document)["id"]
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "unavailable"
    assert raw.put(f"/v3/sources/{source_id}/changestate", {"copystate": "nonsense", "migrationcycle": "x"}) == {}
    assert raw.get(f"/v3/sources/{source_id}")["state"] == "unavailable"


def test_an_unguarded_source_refuses_an_unknown_copy_state(raw: Raw, source_id: str) -> None:
    answer = raw.signed(
        "PUT", f"/v3/sources/{source_id}/changestate", body={"copystate": "x", "migrationcycle": "setting"}
    )
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "SMS.9001"


def test_a_deleted_source_is_gone(raw: Raw, sdk: SmsClient, source_id: str) -> None:
    sdk.delete_server(v3.DeleteServerRequest(source_id=source_id))
    answer = raw.signed("GET", f"/v3/sources/{source_id}")
    assert answer.status_code == 404
    assert answer.json()["error_code"] == "SMS.7602"
    assert raw.signed("GET", "/v3/sources", query=f"id={source_id}").json() == {"count": 0, "source_servers": []}
    assert raw.signed("DELETE", f"/v3/sources/{source_id}").status_code == 404


def test_connected_by_contact(raw: Raw, source_id: str) -> None:
    before = raw.get(f"/v3/sources/{source_id}")
    raw.get(f"/v3/sources/{source_id}/command")
    after = raw.get(f"/v3/sources/{source_id}")
    assert before["connected"] is after["connected"] is True
    # The moment of the last *change* of the connection, not of the last contact.
    assert after["last_visit_time"] == before["last_visit_time"]
