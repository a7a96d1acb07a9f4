"""Each of the 49 operations by the vendor's SDK: every field of a body filled, every field of an answer compared.

The operations, their models and the values come from the published definition (`definitions`, `filling`); an operation
that has no case here, or that the server doesn't serve, fails. The fillings go with the ways of signing in.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import cases_service as service
from tests.contract import cases_sources as sources
from tests.contract import cases_tasks as tasks
from tests.contract.callers import PlainCaller, SdkCaller, numbers_as_texts, with_strangers
from tests.contract.definitions import OPERATIONS
from tests.contract.exercise import Exercise
from tests.contract.filling import Filling, Json
from tests.contract.running import Raw, Server
from tests.contract.vendor import TokenCredentials, vendor_client

Case = Callable[[Exercise, Filling], None]

CASES: Mapping[str, Case] = {
    "RegisterServer": sources.register_server,
    "ListServers": sources.list_servers,
    "ShowServer": sources.show_server,
    "ShowOverview": sources.show_overview,
    "UpdateServerName": sources.update_server_name,
    "UpdateDiskInfo": sources.update_disk_info,
    "UpdateCopyState": sources.update_copy_state,
    "DeleteServer": sources.delete_server,
    "DeleteServers": sources.delete_servers,
    "ListErrorServers": sources.list_error_servers,
    "ShowCommand": sources.show_command,
    "UpdateCommandResult": sources.update_command_result,
    "CreateTask": tasks.create_task,
    "ListTasks": tasks.list_tasks,
    "ShowTask": tasks.show_task,
    "UpdateTask": tasks.update_task,
    "DeleteTask": tasks.delete_task,
    "DeleteTasks": tasks.delete_tasks,
    "UpdateTaskStatus": tasks.update_task_status,
    "UpdateTaskSpeed": tasks.update_task_speed,
    "ShowsSpeedLimits": tasks.speed_limits,
    "UpdateSpeed": tasks.speed_limits,
    "ShowConfigSetting": tasks.configuration_settings,
    "UploadSpecialConfigurationSetting": tasks.configuration_settings,
    "CollectLog": tasks.collect_log,
    "UpdateNetworkCheckInfo": tasks.update_network_check_info,
    "UpdateConsistencyResult": tasks.consistency_results,
    "ShowConsistencyResult": tasks.consistency_results,
    "ExportConsistencyResults": tasks.export_consistency_results,
    "ShowCertKey": tasks.show_cert_key,
    "ShowPassphrase": tasks.show_passphrase,
    "CreateTemplate": service.create_template,
    "ListTemplates": service.list_templates,
    "ShowTemplate": service.create_template,
    "UpdateTemplate": service.update_template,
    "DeleteTemplate": service.delete_template,
    "DeleteTemplates": service.delete_templates,
    "ShowTargetPassword": service.show_target_password,
    "CreateMigproject": service.create_migproject,
    "ListMigprojects": service.list_migprojects,
    "ShowMigproject": service.create_migproject,
    "UpdateMigproject": service.update_migproject,
    "UpdateDefaultMigproject": service.update_default_migproject,
    "DeleteMigproject": service.delete_migproject,
    "ShowConfig": service.show_config,
    "CreatePrivacyAgreements": service.privacy_agreements,
    "ShowPrivacyAgreements": service.privacy_agreements,
    "ListApiVersion": service.versions,
    "ShowApiVersion": service.versions,
}
"""What exercises each operation."""

_SECRET = "the password is told by ShowTargetPassword alone"

NEVER: Mapping[str, Mapping[str, str]] = {
    "ShowTask": {
        "float_ip": "for old agents only",
        "target_snapshot_id": "Wherry keeps no snapshots of a target: it keeps checkpoints",
    },
    "ShowTemplate": {"template.target_password": _SECRET},
    "ListTemplates": {"templates[].target_password": _SECRET},
}
"""Fields of answers that hold nothing here, and why."""

SIGNING = {
    Filling.USUAL: "key with project",
    Filling.OTHER: "key with domain",
    Filling.LARGEST: "token",
    Filling.SMALLEST: "key alone",
}


@pytest.fixture(scope="module")
def clients(server: Server, raw: Raw) -> Iterator[Mapping[str, SmsClient]]:
    """The vendor's clients by their way of signing in."""
    admin = server.admin
    user = {"name": admin.user_name, "password": admin.password, "domain": {"name": admin.domain_name}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    token = raw.bare("POST", "/v3/auth/tokens", json=login).headers["X-Subject-Token"]
    ways: dict[str, Any] = {
        "key with project": BasicCredentials(admin.access_key, admin.secret_key, admin.project_id),
        "key with domain": GlobalCredentials(admin.access_key, admin.secret_key, admin.domain_id),
        "token": TokenCredentials(token),
        "key alone": BasicCredentials(admin.access_key, admin.secret_key),
    }
    made = {way: vendor_client(server, credentials) for way, credentials in ways.items()}
    yield made
    for client in made.values():
        client.close()


def test_every_operation_has_a_case() -> None:
    assert CASES.keys() == OPERATIONS.keys()
    assert len(OPERATIONS) == 49


@pytest.mark.parametrize("filling", Filling, ids=lambda filling: filling.value)
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation(
    server: Server, raw: Raw, clients: Mapping[str, SmsClient], operation: str, filling: Filling
) -> None:
    exercise = Exercise(SdkCaller(clients[SIGNING[filling]]), raw, server.data)
    CASES[operation](exercise, filling)
    if filling is Filling.SMALLEST:  # empty lists show no items
        assert exercise.called[operation]
    else:
        exercise.check_complete(operation, NEVER.get(operation, {}))


def test_a_task_that_starts_by_itself(server: Server, raw: Raw, sdk: SmsClient) -> None:
    tasks.create_task_that_starts(Exercise(SdkCaller(sdk), raw, server.data), Filling.USUAL)


@pytest.mark.parametrize(
    ("twist", "filling"),
    [(numbers_as_texts, Filling.LARGEST), (with_strangers, Filling.USUAL)],
    ids=["numbers as texts", "unknown fields"],
)
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_by_older_and_newer_clients(
    server: Server, raw: Raw, operation: str, twist: Callable[[Json, str], Json], filling: Filling
) -> None:
    CASES[operation](Exercise(PlainCaller(raw, twist), raw, server.data), filling)
