"""The index of the operations beside SMS v3: the IAM subset, Wherry's own API, and those about the control plane."""

from collections.abc import Mapping
from types import MappingProxyType

from wherry.contract import (
    explanations,
    fleet,
    iam,
    landing,
    oversight,
    replication_history,
    report,
    task_log,
    values,
    wherry,
)
from wherry.contract.operations import OperationShape

_TASK = "/wherry/v1/tasks/{task_id}"
_CHECKPOINT = f"{_TASK}/checkpoints/{{checkpoint}}"
_REHEARSAL = "/wherry/v1/rehearsals/{rehearsal_id}"
_RECEIVER = "/wherry/v1/receivers/{receiver_id}"

IAM_OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "CreateToken": OperationShape("POST", "/v3/auth/tokens", iam.TokenAnswer, iam.TokenRequest),
        "ShowToken": OperationShape("GET", "/v3/auth/tokens", iam.TokenAnswer),
        "ListDomains": OperationShape("GET", "/v3/auth/domains", iam.DomainList),
        "ListProjects": OperationShape("GET", "/v3/projects", iam.ProjectList, query=iam.ProjectsQuery),
    }
)
"""The IAM subset, by ids."""

WHERRY_OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "CreateJoinToken": OperationShape("POST", "/wherry/v1/join-tokens", wherry.JoinToken, wherry.JoinTokenRequest),
        "ListJoinTokens": OperationShape(
            "GET", "/wherry/v1/join-tokens", wherry.JoinTokenList, query=wherry.JoinTokensQuery
        ),
        "DeleteJoinToken": OperationShape("DELETE", "/wherry/v1/join-tokens/{join_token_id}"),
        "Join": OperationShape("POST", "/wherry/v1/join", wherry.Joined, wherry.JoinRequest),
        "DownloadAgent": OperationShape("GET", "/wherry/v1/agent", None),
        "ShowJoinScript": OperationShape("GET", "/wherry/v1/join-script", None),
        "ListFleet": OperationShape("GET", "/wherry/v1/fleet", fleet.Fleet, query=fleet.FleetQuery),
        "ListReceivers": OperationShape("GET", "/wherry/v1/receivers", wherry.ReceiverList),
        "UpdateReceiver": OperationShape("PUT", _RECEIVER, body=wherry.ReceiverAnnouncement),
        "ListAssignments": OperationShape(
            "GET", f"{_RECEIVER}/assignments", wherry.Assignments, query=wherry.AssignmentsQuery
        ),
        "ShowRoute": OperationShape("GET", f"{_TASK}/route", wherry.Route),
        "UpdateReplication": OperationShape("PUT", f"{_TASK}/replication", body=wherry.ReplicationFigures),
        "ShowReplication": OperationShape("GET", f"{_TASK}/replication", wherry.ReplicationFigures),
        "ListReplicationSamples": OperationShape(
            "GET", f"{_TASK}/replication/samples", replication_history.ReplicationSamples
        ),
        "StoreLog": OperationShape("PUT", f"{_TASK}/log", body=task_log.AgentLog),
        "DownloadLog": OperationShape("GET", f"{_TASK}/log", None),
        "CloseLog": OperationShape("DELETE", f"{_TASK}/log"),
        "ListEvents": OperationShape("GET", f"{_TASK}/events", wherry.StateEvents),
        "ShowReport": OperationShape("GET", f"{_TASK}/report", report.Report, query=report.ReportQuery),
        "SubmitSourceHalf": OperationShape("PUT", f"{_CHECKPOINT}/halves/source", body=wherry.ProofHalf),
        "SubmitReceiverHalf": OperationShape("PUT", f"{_CHECKPOINT}/halves/receiver", body=wherry.ProofHalf),
        "ShowProof": OperationShape("GET", f"{_CHECKPOINT}/proof", wherry.Proof),
        "ShowNewestProof": OperationShape("GET", f"{_TASK}/proof", wherry.Proof),
        "ShowLanding": OperationShape("GET", f"{_TASK}/landing", landing.Landing, query=landing.LandingQuery),
        "BeginLanding": OperationShape("POST", f"{_TASK}/landing", landing.Landing, landing.LandingRequest),
        "LaunchTarget": OperationShape("POST", f"{_TASK}/launch"),
        "RollBackTarget": OperationShape("POST", f"{_TASK}/rollback"),
        "RecordTarget": OperationShape("POST", f"{_TASK}/recordings", values.CreatedId),
        "ShowTargetConsole": OperationShape("GET", f"{_TASK}/console", None),
        "ShowTargetScreenshot": OperationShape("GET", f"{_TASK}/screenshot", None),
        "ShowTargetMachine": OperationShape("GET", f"{_TASK}/target-machine", landing.TargetMachine),
        "RecommendTargetMachine": OperationShape(
            "GET",
            "/wherry/v1/sources/{source_id}/target-machine",
            landing.TargetMachine,
            query=landing.RecommendationQuery,
        ),
        "UpdateTargetMachine": OperationShape(
            "PUT", f"{_TASK}/target-machine", landing.TargetMachine, landing.TargetMachineWish
        ),
        "ShowRehearsalSettings": OperationShape("GET", f"{_TASK}/rehearsal-settings", landing.RehearsalSettings),
        "UpdateRehearsalSettings": OperationShape("PUT", f"{_TASK}/rehearsal-settings", body=landing.RehearsalSettings),
        "UpdateOrder": OperationShape("PUT", f"{_RECEIVER}/orders/{{order_id}}", body=landing.OrderReport),
        "OrderRehearsal": OperationShape("POST", f"{_TASK}/rehearsals", values.CreatedId, landing.RehearsalRequest),
        "ListRehearsals": OperationShape(
            "GET", "/wherry/v1/rehearsals", landing.RehearsalList, query=landing.RehearsalsQuery
        ),
        "ShowRehearsal": OperationShape("GET", _REHEARSAL, landing.Rehearsal),
        "ShowRehearsalConsole": OperationShape("GET", f"{_REHEARSAL}/console", None),
        "ShowRehearsalScreenshot": OperationShape("GET", f"{_REHEARSAL}/screenshot", None),
        "ListAuditEntries": OperationShape("GET", "/wherry/v1/audit", oversight.AuditLog, query=oversight.AuditQuery),
        "VerifyAuditLog": OperationShape("GET", "/wherry/v1/audit/verification", oversight.AuditVerification),
        "ListAccountEvents": OperationShape("GET", "/wherry/v1/events", oversight.Events, query=oversight.EventsQuery),
    }
)
"""Wherry's own API, by ids."""

ABOUT_OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "Ready": OperationShape("GET", "/readyz", explanations.Readiness),
        "Health": OperationShape("GET", "/healthz", explanations.Liveness),
        "ListErrorCodes": OperationShape("GET", "/errors", explanations.Explanations),
        "ShowErrorCode": OperationShape("GET", "/errors/{code}", explanations.Explanation),
        "ShowOpenApi": OperationShape("GET", "/openapi.json", None),
    }
)
"""What the control plane says of itself, by ids."""
