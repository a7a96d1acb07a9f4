"""The index of the 49 operations: how each is called, what it takes and what it answers.

Source: the protocol reference, "operations". Operations that answer nothing but "done" have `Empty`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wherry.contract import (
    channel_secrets,
    commands,
    config,
    configuration,
    consistency,
    network_check,
    overview,
    projects,
    sources,
    speed,
    storage,
    tasks,
    templates,
    versions,
)
from wherry.contract.values import CreatedId, Empty, Wire


@dataclass(frozen=True, slots=True)
class OperationShape:
    """An operation of SMS v3.

    Attributes:
        method: the HTTP method.
        path: with parameters in braces.
        answer: the struct of the answer; None for those whose answer is a file.
        body: the struct of the request's body; None where it has none.
        query: the struct of the query string; None where there are no parameters.
    """

    method: str
    path: str
    answer: type[Wire] | None = Empty
    body: type[Wire] | None = None
    query: type[Wire] | None = None


_SOURCE = "/v3/sources/{source_id}"
_SERVER = "/v3/sources/{server_id}"
_TASK = "/v3/tasks/{task_id}"
_TEMPLATE = "/v3/vm/templates/{id}"
_PROJECT = "/v3/migprojects/{mig_project_id}"

OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "RegisterServer": OperationShape("POST", "/v3/sources", CreatedId, sources.Registration),
        "ListServers": OperationShape("GET", "/v3/sources", sources.SourceList, query=sources.ListServersQuery),
        "ShowOverview": OperationShape("GET", "/v3/sources/overview", overview.Overview),
        "DeleteServers": OperationShape("POST", "/v3/sources/delete", body=sources.SourceIds),
        "ShowServer": OperationShape("GET", _SOURCE, sources.SourceDetail),
        "UpdateServerName": OperationShape("PUT", _SOURCE, body=sources.SourceUpdate),
        "DeleteServer": OperationShape("DELETE", _SOURCE),
        "UpdateDiskInfo": OperationShape("PUT", f"{_SOURCE}/diskinfo", body=storage.DiskInfo),
        "UpdateCopyState": OperationShape("PUT", f"{_SOURCE}/changestate", body=sources.CopyStateUpdate),
        "ListErrorServers": OperationShape(
            "GET", "/v3/errors", sources.MigrationErrorList, query=sources.ListErrorServersQuery
        ),
        "ShowCommand": OperationShape("GET", f"{_SERVER}/command", commands.Command),
        "UpdateCommandResult": OperationShape("POST", f"{_SERVER}/command_result", body=commands.CommandReport),
        "CreateTask": OperationShape("POST", "/v3/tasks", CreatedId, tasks.TaskCreation),
        "ListTasks": OperationShape("GET", "/v3/tasks", tasks.TaskList, query=tasks.ListTasksQuery),
        "DeleteTasks": OperationShape("POST", "/v3/tasks/delete", body=tasks.TaskIds),
        "ShowTask": OperationShape("GET", _TASK, tasks.TaskDetail),
        "UpdateTask": OperationShape("PUT", _TASK, CreatedId, tasks.TaskUpdate),
        "DeleteTask": OperationShape("DELETE", _TASK),
        "UpdateTaskStatus": OperationShape("POST", f"{_TASK}/action", body=tasks.TaskAction),
        "UpdateTaskSpeed": OperationShape("PUT", f"{_TASK}/progress", body=tasks.TaskProgress),
        "ShowsSpeedLimits": OperationShape("GET", f"{_TASK}/speed-limit", speed.SpeedLimits),
        "UpdateSpeed": OperationShape("POST", f"{_TASK}/speed-limit", body=speed.SpeedLimits),
        "ShowCertKey": OperationShape(
            "GET", f"{_TASK}/certkey", channel_secrets.CertKey, query=channel_secrets.CertKeyQuery
        ),
        "ShowPassphrase": OperationShape("GET", f"{_TASK}/passphrase", channel_secrets.Passphrase),
        "CollectLog": OperationShape("POST", f"{_TASK}/log", body=tasks.LogCollection),
        "UploadSpecialConfigurationSetting": OperationShape(
            "POST", f"{_TASK}/configuration-setting", body=configuration.ConfigSettings
        ),
        "ShowConfigSetting": OperationShape(
            "GET",
            f"{_TASK}/configuration-setting",
            configuration.ConfigSettingsAnswer,
            query=configuration.ConfigSettingsQuery,
        ),
        "UpdateConsistencyResult": OperationShape(
            "POST", f"{_TASK}/consistency-result", body=consistency.ConsistencyReport
        ),
        "ShowConsistencyResult": OperationShape("GET", f"{_TASK}/consistency-result", consistency.ConsistencyResults),
        "ExportConsistencyResults": OperationShape(
            "POST", "/v3/tasks/consistency-results/export", None, consistency.ConsistencyExport
        ),
        "UpdateNetworkCheckInfo": OperationShape(
            "POST",
            "/v3/{task_id}/update-network-check-info",
            network_check.NetworkCheckAnswer,
            network_check.NetworkCheck,
        ),
        "CreateTemplate": OperationShape("POST", "/v3/vm/templates", CreatedId, templates.TemplateBody),
        "ListTemplates": OperationShape(
            "GET", "/v3/vm/templates", templates.TemplateList, query=templates.ListTemplatesQuery
        ),
        "DeleteTemplates": OperationShape("POST", "/v3/vm/templates/delete", body=templates.TemplateIds),
        "ShowTemplate": OperationShape("GET", _TEMPLATE, templates.TemplateAnswer),
        "UpdateTemplate": OperationShape("PUT", _TEMPLATE, body=templates.TemplateUpdate),
        "DeleteTemplate": OperationShape("DELETE", _TEMPLATE),
        "ShowTargetPassword": OperationShape("GET", f"{_TEMPLATE}/target-password", templates.TargetPassword),
        "CreateMigproject": OperationShape("POST", "/v3/migprojects", CreatedId, projects.MigprojectCreation),
        "ListMigprojects": OperationShape(
            "GET", "/v3/migprojects", projects.MigprojectList, query=projects.ListMigprojectsQuery
        ),
        "ShowMigproject": OperationShape("GET", _PROJECT, projects.MigprojectDetail),
        "UpdateMigproject": OperationShape("PUT", _PROJECT, body=projects.MigprojectUpdate),
        "UpdateDefaultMigproject": OperationShape("PUT", f"{_PROJECT}/default"),
        "DeleteMigproject": OperationShape("DELETE", _PROJECT),
        "ShowConfig": OperationShape("GET", "/v3/config", config.ServiceConfig),
        "CreatePrivacyAgreements": OperationShape("POST", "/v3/privacy-agreements"),
        "ShowPrivacyAgreements": OperationShape("GET", "/v3/privacy-agreements", config.PrivacyAgreement),
        "ListApiVersion": OperationShape("GET", "/", versions.VersionList),
        "ShowApiVersion": OperationShape("GET", "/{version}", versions.Version),
    }
)
"""The operations by their ids."""
