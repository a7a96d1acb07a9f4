"""The route table: every operation with its path, its handler and its names in the audit log.

The IAM action and the kinds of callers of each operation stand in `wherry.iam.permissions` under the same id; `Route`
shows them together.
"""

from wherry.server import (
    agent_installation,
    channel_secrets,
    commands,
    consistency,
    consistency_export,
    fleet,
    identity,
    joining,
    landing_orders,
    landings,
    migprojects,
    oversight,
    receivers,
    recordings,
    registration,
    rehearsals,
    replication,
    reports,
    service,
    sources,
    task_deletion,
    task_logs,
    task_settings,
    tasks,
    templates,
    versions,
)
from wherry.server.access_routes import ACCESS, ECS, IAM
from wherry.server.documentation import documentation_routes
from wherry.server.notification_routes import NOTIFICATIONS
from wherry.server.report.gathering import show_report
from wherry.server.route import AuditName, ErrorShape, Route

_LOGIN_BODY = 64 * 1024
_NO_BODY = 1024

_SERVER = "/v3/sources/{server_id}"
_SOURCE = "/v3/sources/{source_id}"
_TASK = "/v3/tasks/{task_id}"
_OWN_TASK = "/wherry/v1/tasks/{task_id}"
_TEMPLATE = "/v3/vm/templates/{id}"
_PROJECT = "/v3/migprojects/{mig_project_id}"
_RECEIVER = "/wherry/v1/receivers/{receiver_id}"
_REHEARSAL = "/wherry/v1/rehearsals/{rehearsal_id}"
_HALVES = f"{_OWN_TASK}/checkpoints/{{checkpoint}}/halves"

SOURCES = (
    Route(
        "RegisterServer",
        "POST",
        "/v3/sources",
        registration.register_server,
        AuditName("SourceServer", "RegisterSourceServer"),
    ),
    Route("ListServers", "GET", "/v3/sources", sources.list_servers),
    Route("ShowOverview", "GET", "/v3/sources/overview", sources.show_overview),
    Route("ShowServer", "GET", _SOURCE, sources.show_server),
    Route("UpdateServerName", "PUT", _SOURCE, sources.update_server_name, AuditName("SourceServer", "updateSource")),
    Route("DeleteServer", "DELETE", _SOURCE, sources.delete_server, AuditName("SourceServer", "removeSource")),
    Route(
        "DeleteServers",
        "POST",
        "/v3/sources/delete",
        sources.delete_servers,
        AuditName("SourceServer", "removeSources"),
    ),
    Route(
        "UpdateDiskInfo",
        "PUT",
        f"{_SOURCE}/diskinfo",
        registration.update_disk_info,
        AuditName("SourceServer", "updateSourceDiskInfo"),
    ),
    Route(
        "UpdateCopyState",
        "PUT",
        f"{_SOURCE}/changestate",
        reports.update_copy_state,
        AuditName("SourceServerStatus", "updateCopyState"),
    ),
    Route("ListErrorServers", "GET", "/v3/errors", sources.list_error_servers),
    Route("ShowCommand", "GET", f"{_SERVER}/command", commands.show_command),
    Route(
        "UpdateCommandResult",
        "POST",
        f"{_SERVER}/command_result",
        commands.update_command_result,
        AuditName("commandResult", "processCommandResult"),
    ),
)

TASKS = (
    Route("CreateTask", "POST", "/v3/tasks", tasks.create_task, AuditName("Task", "CreateTask")),
    Route("ListTasks", "GET", "/v3/tasks", tasks.list_tasks),
    Route("ShowTask", "GET", _TASK, tasks.show_task),
    Route("UpdateTask", "PUT", _TASK, tasks.update_task, AuditName("Task", "UpdateTask")),
    Route("DeleteTask", "DELETE", _TASK, task_deletion.delete_task, AuditName("Task", "deleteTask")),
    Route("DeleteTasks", "POST", "/v3/tasks/delete", task_deletion.delete_tasks, AuditName("Task", "deleteTasks")),
    Route(
        "UpdateTaskStatus", "POST", f"{_TASK}/action", tasks.update_task_status, AuditName("Task", "updateTaskStatus")
    ),
    Route(
        "UpdateTaskSpeed",
        "PUT",
        f"{_TASK}/progress",
        reports.update_task_speed,
        AuditName("Task", "updateTaskProgressSpeed"),
    ),
    Route("ShowCertKey", "GET", f"{_TASK}/certkey", channel_secrets.show_cert_key),
    Route("ShowPassphrase", "GET", f"{_TASK}/passphrase", channel_secrets.show_passphrase),
)

SETTINGS = (
    Route("ShowsSpeedLimits", "GET", f"{_TASK}/speed-limit", task_settings.show_speed_limits),
    Route(
        "UpdateSpeed",
        "POST",
        f"{_TASK}/speed-limit",
        task_settings.update_speed,
        AuditName("taskSpeed", "updateSpeedLimit"),
    ),
    Route("ShowConfigSetting", "GET", f"{_TASK}/configuration-setting", task_settings.show_config_setting),
    Route(
        "UploadSpecialConfigurationSetting",
        "POST",
        f"{_TASK}/configuration-setting",
        task_settings.upload_config_settings,
        AuditName("Task", "updateSpecialConfigSetting"),
    ),
    Route(
        "CollectLog",
        "POST",
        f"{_TASK}/log",
        task_logs.collect_log,
        AuditName("collectLog", "task-collect-log-request"),
    ),
    Route(
        "UpdateNetworkCheckInfo",
        "POST",
        "/v3/{task_id}/update-network-check-info",
        task_settings.update_network_check_info,
        AuditName("Task", "updateNetworkCheckInfo"),
    ),
    Route(
        "UpdateConsistencyResult",
        "POST",
        f"{_TASK}/consistency-result",
        consistency.update_consistency_result,
        AuditName("ConsistencyCheckResult", "UpdateConsistencyResult"),
    ),
    Route("ShowConsistencyResult", "GET", f"{_TASK}/consistency-result", consistency.show_consistency_result),
    Route(
        "ExportConsistencyResults",
        "POST",
        "/v3/tasks/consistency-results/export",
        consistency_export.export_consistency_results,
        AuditName("ConsistencyCheckResult", "GetBatchConsistencyCheckResult"),
    ),
)

TEMPLATES = (
    Route(
        "CreateTemplate", "POST", "/v3/vm/templates", templates.create_template, AuditName("Template", "addTemplate")
    ),
    Route("ListTemplates", "GET", "/v3/vm/templates", templates.list_templates),
    Route("ShowTemplate", "GET", _TEMPLATE, templates.show_template),
    Route("UpdateTemplate", "PUT", _TEMPLATE, templates.update_template, AuditName("Template", "updateTemplate")),
    Route("DeleteTemplate", "DELETE", _TEMPLATE, templates.delete_template, AuditName("Template", "deleteTemplate")),
    Route(
        "DeleteTemplates",
        "POST",
        "/v3/vm/templates/delete",
        templates.delete_templates,
        AuditName("Template", "deleteTemplates"),
    ),
    Route("ShowTargetPassword", "GET", f"{_TEMPLATE}/target-password", templates.show_target_password),
)

PROJECTS = (
    Route(
        "CreateMigproject",
        "POST",
        "/v3/migprojects",
        migprojects.create_migproject,
        AuditName("MigProject", "addMigProject"),
    ),
    Route("ListMigprojects", "GET", "/v3/migprojects", migprojects.list_migprojects),
    Route("ShowMigproject", "GET", _PROJECT, migprojects.show_migproject),
    Route(
        "UpdateMigproject", "PUT", _PROJECT, migprojects.update_migproject, AuditName("MigProject", "updateMigProject")
    ),
    Route(
        "UpdateDefaultMigproject",
        "PUT",
        f"{_PROJECT}/default",
        migprojects.update_default_migproject,
        AuditName("MigProject", "setMigProjectDefault"),
    ),
    Route(
        "DeleteMigproject",
        "DELETE",
        _PROJECT,
        migprojects.delete_migproject,
        AuditName("MigProject", "removeMigProject"),
    ),
)

SERVICE = (
    Route("ShowConfig", "GET", "/v3/config", service.show_config),
    Route(
        "CreatePrivacyAgreements",
        "POST",
        "/v3/privacy-agreements",
        service.create_privacy_agreement,
        AuditName("PrivacyAgreement", "CreatePrivacyAgreements"),
    ),
    Route("ShowPrivacyAgreements", "GET", "/v3/privacy-agreements", service.show_privacy_agreement),
)

VERSIONS = (
    Route("ListApiVersion", "GET", "/", versions.list_api_version, anonymous=True, max_body=_LOGIN_BODY),
    Route("ShowApiVersion", "GET", "/{version}", versions.show_api_version, anonymous=True, max_body=_LOGIN_BODY),
    Route("Ready", "GET", "/readyz", versions.ready, anonymous=True, max_body=_LOGIN_BODY),
    Route("Health", "GET", "/healthz", versions.health, anonymous=True, max_body=_LOGIN_BODY),
)

IDENTITY = (
    Route(
        "CreateToken",
        "POST",
        "/v3/auth/tokens",
        identity.create_token,
        AuditName("token", "createToken"),
        anonymous=True,
        max_body=_LOGIN_BODY,
        errors=ErrorShape.KEYSTONE,
    ),
    Route("ShowToken", "GET", "/v3/auth/tokens", identity.show_token, errors=ErrorShape.KEYSTONE),
    Route("ListDomains", "GET", "/v3/auth/domains", identity.list_domains, errors=ErrorShape.KEYSTONE),
    Route("ListProjects", "GET", "/v3/projects", identity.list_projects, errors=ErrorShape.KEYSTONE),
)

WHERRY = (
    Route(
        "CreateJoinToken",
        "POST",
        "/wherry/v1/join-tokens",
        joining.create_token,
        AuditName("joinToken", "createJoinToken"),
    ),
    Route("ListJoinTokens", "GET", "/wherry/v1/join-tokens", joining.list_tokens),
    Route(
        "DeleteJoinToken",
        "DELETE",
        "/wherry/v1/join-tokens/{join_token_id}",
        joining.delete_token,
        AuditName("joinToken", "deleteJoinToken"),
    ),
    Route(
        "Join",
        "POST",
        "/wherry/v1/join",
        joining.join,
        AuditName("joinToken", "join"),
        anonymous=True,
        max_body=_LOGIN_BODY,
    ),
    Route(
        "DownloadAgent", "GET", "/wherry/v1/agent", agent_installation.download_agent, anonymous=True, max_body=_NO_BODY
    ),
    Route(
        "ShowJoinScript",
        "GET",
        "/wherry/v1/join-script",
        agent_installation.show_join_script,
        anonymous=True,
        max_body=_NO_BODY,
    ),
    Route("ListFleet", "GET", "/wherry/v1/fleet", fleet.list_fleet),
    Route("ListReceivers", "GET", "/wherry/v1/receivers", receivers.list_receivers),
    Route("UpdateReceiver", "PUT", _RECEIVER, receivers.update_receiver, AuditName("receiver", "updateReceiver")),
    Route("ListAssignments", "GET", f"{_RECEIVER}/assignments", receivers.list_assignments),
    Route("ShowRoute", "GET", f"{_OWN_TASK}/route", receivers.show_route, AuditName("Task", "assignReceiver")),
    Route("UpdateReplication", "PUT", f"{_OWN_TASK}/replication", replication.update_replication),
    Route("ShowReplication", "GET", f"{_OWN_TASK}/replication", replication.show_replication),
    Route("ListReplicationSamples", "GET", f"{_OWN_TASK}/replication/samples", replication.list_samples),
    Route("StoreLog", "PUT", f"{_OWN_TASK}/log", task_logs.store_log, AuditName("collectLog", "storeLog")),
    Route("DownloadLog", "GET", f"{_OWN_TASK}/log", task_logs.download_log),
    Route("CloseLog", "DELETE", f"{_OWN_TASK}/log", task_logs.close_log, AuditName("collectLog", "closeLog")),
    Route("ListEvents", "GET", f"{_OWN_TASK}/events", replication.list_events),
    Route("ShowReport", "GET", f"{_OWN_TASK}/report", show_report),
    Route(
        "SubmitSourceHalf", "PUT", f"{_HALVES}/source", replication.submit_source_half, AuditName("proof", "submitHalf")
    ),
    Route(
        "SubmitReceiverHalf",
        "PUT",
        f"{_HALVES}/receiver",
        replication.submit_receiver_half,
        AuditName("proof", "submitHalf"),
    ),
    Route("ShowProof", "GET", f"{_OWN_TASK}/checkpoints/{{checkpoint}}/proof", replication.show_proof),
    Route("ShowProof", "GET", f"{_OWN_TASK}/proof", replication.show_newest_proof),
)

LANDING = (
    Route("ShowLanding", "GET", f"{_OWN_TASK}/landing", landings.show_landing),
    Route("BeginLanding", "POST", f"{_OWN_TASK}/landing", landings.begin_landing, AuditName("landing", "beginLanding")),
    Route("LaunchTarget", "POST", f"{_OWN_TASK}/launch", landings.launch, AuditName("landing", "launchTarget")),
    Route(
        "RollBackTarget", "POST", f"{_OWN_TASK}/rollback", landings.roll_back, AuditName("landing", "rollBackTarget")
    ),
    Route(
        "RecordTarget",
        "POST",
        f"{_OWN_TASK}/recordings",
        recordings.record_target,
        AuditName("landing", "recordTarget"),
    ),
    Route("ShowTargetConsole", "GET", f"{_OWN_TASK}/console", recordings.show_console),
    Route("ShowTargetScreenshot", "GET", f"{_OWN_TASK}/screenshot", recordings.show_screenshot),
    Route(
        "RecommendTargetMachine",
        "GET",
        "/wherry/v1/sources/{source_id}/target-machine",
        landings.recommend_target_machine,
    ),
    Route("ShowTargetMachine", "GET", f"{_OWN_TASK}/target-machine", landings.show_target_machine),
    Route(
        "UpdateTargetMachine",
        "PUT",
        f"{_OWN_TASK}/target-machine",
        landings.update_target_machine,
        AuditName("landing", "updateTargetMachine"),
    ),
    Route("ShowRehearsalSettings", "GET", f"{_OWN_TASK}/rehearsal-settings", rehearsals.show_settings),
    Route(
        "UpdateRehearsalSettings",
        "PUT",
        f"{_OWN_TASK}/rehearsal-settings",
        rehearsals.update_settings,
        AuditName("rehearsal", "updateRehearsalSettings"),
    ),
    Route(
        "UpdateOrder",
        "PUT",
        f"{_RECEIVER}/orders/{{order_id}}",
        landing_orders.update_order,
        AuditName("landing", "updateOrder"),
    ),
    Route(
        "OrderRehearsal",
        "POST",
        f"{_OWN_TASK}/rehearsals",
        rehearsals.order_rehearsal,
        AuditName("rehearsal", "orderRehearsal"),
    ),
    Route("ListRehearsals", "GET", "/wherry/v1/rehearsals", rehearsals.list_rehearsals),
    Route("ShowRehearsal", "GET", _REHEARSAL, rehearsals.show_rehearsal),
    Route("ShowRehearsalConsole", "GET", f"{_REHEARSAL}/console", rehearsals.show_console),
    Route("ShowRehearsalScreenshot", "GET", f"{_REHEARSAL}/screenshot", rehearsals.show_screenshot),
)

OVERSIGHT = (
    Route("ListAuditEntries", "GET", "/wherry/v1/audit", oversight.list_audit_entries),
    Route("VerifyAuditLog", "GET", "/wherry/v1/audit/verification", oversight.verify_audit_log),
    Route("ListAccountEvents", "GET", "/wherry/v1/events", oversight.list_account_events),
)

_OPERATIONS = (
    *SOURCES,
    *TASKS,
    *SETTINGS,
    *TEMPLATES,
    *PROJECTS,
    *SERVICE,
    *VERSIONS,
    *IDENTITY,
    *IAM,
    *ECS,
    *WHERRY,
    *LANDING,
    *OVERSIGHT,
    *ACCESS,
    *NOTIFICATIONS,
)

ROUTES = (*_OPERATIONS, *documentation_routes(_OPERATIONS))
"""Every operation, and the pages that describe them."""
