"""What the vendor's SDKs call the bodies of requests, for the sample code. Source: the SDKs' own definition, v3."""

from collections.abc import Mapping

BODY_MODELS: Mapping[str, str] = {
    "CollectLog": "UploadLogRequestBody",
    "CreateMigproject": "PostMigProjectBody",
    "CreateTask": "PostTask",
    "CreateTemplate": "CreateTemplateReq",
    "DeleteServers": "DeleteIds",
    "DeleteTasks": "DeleteTasksReq",
    "DeleteTemplates": "DeletetemplatesReq",
    "ExportConsistencyResults": "BatchGetConsistencyResultReq",
    "RegisterServer": "PostSourceServerBody",
    "UpdateCommandResult": "CommandBody",
    "UpdateConsistencyResult": "SetConsistencyResultRequestBody",
    "UpdateCopyState": "PutCopyStateReq",
    "UpdateDiskInfo": "PutDiskInfoReq",
    "UpdateMigproject": "MigProject",
    "UpdateNetworkCheckInfo": "NetworkCheckInfoRequestBody",
    "UpdateServerName": "PutSourceServerBody",
    "UpdateSpeed": "SpeedLimit",
    "UpdateTask": "PutTaskReq",
    "UpdateTaskSpeed": "UpdateTaskSpeedReq",
    "UpdateTaskStatus": "UpdateTaskStatusReq",
    "UpdateTemplate": "UpdateTemplateReq",
    "UploadSpecialConfigurationSetting": "ConfigurationRequestBody",
}
"""The model of the body, by operation; operations without a body are not in here."""
