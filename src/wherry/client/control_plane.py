"""The control plane as an object: its operations by name, typed with the structs of the contract.

Synchronous and safe to use from several threads. Every method raises ControlPlaneError for a refusal,
ControlPlaneUnreachable where no answer came within the retry budget, and AnswerUnreadable for an answer that isn't one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from wherry.client.errors import AnswerUnreadable
from wherry.client.retrying import RetryPolicy
from wherry.client.transport import Call, Credentials, Transport, path_of
from wherry.contract import commands, landing, sources, speed, storage, tasks, wherry
from wherry.contract.channel_secrets import CertKey, Passphrase
from wherry.contract.enumerations import Action, JoinRole, ProofSide
from wherry.contract.network_check import NetworkCheck
from wherry.contract.task_log import AgentLog
from wherry.contract.values import CreatedId, Empty

T = TypeVar("T")

LONG_POLL_S: Final = 30.0


class ControlPlane:
    """A control plane, called with an access key.

    Args:
        endpoint: such as ``https://host:8443``.
        access_key: the id of the key; empty for calls without authentication.
        secret_key: its secret.
        ca_file: PEM of the only authority to be trusted; None trusts the system's.
        policy: how long to try again; its `stop` event ends every wait.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        ca_file: Path | None = None,
        *,
        policy: RetryPolicy | None = None,
    ) -> None:
        credentials = Credentials(access_key, secret_key) if access_key else None
        self._transport = Transport(endpoint, credentials, ca_file, RetryPolicy() if policy is None else policy)

    @property
    def endpoint(self) -> str:
        """The address, without a slash at its end."""
        return self._transport.endpoint

    def now(self) -> float:
        """Return what time it is at the control plane, in epoch seconds, as far as it has told."""
        return self._transport.now()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Sources

    def register_server(self, registration: sources.Registration) -> str:
        """RegisterServer: return the id of the source. Repeating it updates the same record, as the key is bound to it.

        The first registration of a new key may come twice when its answer was lost; the key is bound by then, so the
        second one finds the record.
        """
        return self._post("RegisterServer", path_of("v3", "sources"), registration, CreatedId).id

    def list_servers(self, **filters: object) -> sources.SourceList:
        """ListServers; *filters* are the operation's query parameters."""
        return self._get("ListServers", path_of("v3", "sources"), sources.SourceList, filters)

    def show_server(self, source_id: str) -> sources.SourceDetail:
        """ShowServer."""
        return self._get("ShowServer", path_of("v3", "sources", source_id), sources.SourceDetail)

    def delete_server(self, source_id: str) -> None:
        """DeleteServer."""
        self._delete(path_of("v3", "sources", source_id))

    def update_disk_info(self, source_id: str, disks: storage.DiskInfo) -> None:
        """UpdateDiskInfo."""
        self._put(path_of("v3", "sources", source_id, "diskinfo"), disks)

    def update_copy_state(self, source_id: str, copy_state: str, migration_cycle: str) -> None:
        """UpdateCopyState."""
        update = sources.CopyStateUpdate(copy_state=copy_state, migration_cycle=migration_cycle)
        self._put(path_of("v3", "sources", source_id, "changestate"), update)

    # Commands

    def show_command(self, source_id: str, *, wait_s: float = LONG_POLL_S) -> commands.Command:
        """ShowCommand; the server may keep the answer back for *wait_s* seconds until there's something to do."""
        path = path_of("v3", "sources", source_id, "command")
        return self._get("ShowCommand", path, commands.Command, wait_s=wait_s)

    def update_command_result(
        self, source_id: str, command_name: str, result: str, detail: Mapping[str, object]
    ) -> None:
        """UpdateCommandResult: durable when it returns. Repeating it is harmless."""
        raw = msgspec.Raw(msgspec.json.encode(detail))
        report = commands.CommandReport(command_name=command_name, result=result, result_detail=raw)
        self._send_body("POST", path_of("v3", "sources", source_id, "command_result"), report)

    # Tasks

    def create_task(self, creation: tasks.TaskCreation) -> str:
        """CreateTask: return the id of the task. Not tried again once it may have arrived."""
        path = path_of("v3", "tasks")
        return self._post("CreateTask", path, creation, CreatedId, repeatable=False).id

    def list_tasks(self, **filters: object) -> tasks.TaskList:
        """ListTasks; *filters* are the operation's query parameters."""
        return self._get("ListTasks", path_of("v3", "tasks"), tasks.TaskList, filters)

    def show_task(self, task_id: str) -> tasks.TaskDetail:
        """ShowTask."""
        return self._get("ShowTask", path_of("v3", "tasks", task_id), tasks.TaskDetail)

    def update_task_status(self, task_id: str, operation: str) -> None:
        """UpdateTaskStatus: start, stop, restart, test, cutover and so on. Not tried again once it may have arrived."""
        action = tasks.TaskAction(operation=Action(operation))
        self._send_body("POST", path_of("v3", "tasks", task_id, "action"), action, repeatable=False)

    def update_task_speed(self, task_id: str, progress: tasks.TaskProgress) -> None:
        """UpdateTaskSpeed."""
        self._put(path_of("v3", "tasks", task_id, "progress"), progress)

    def update_network_check_info(self, task_id: str, check: NetworkCheck) -> None:
        """UpdateNetworkCheckInfo. Repeating it is harmless."""
        self._send_body("POST", path_of("v3", task_id, "update-network-check-info"), check)

    def show_speed_limits(self, task_id: str) -> speed.SpeedLimits:
        """ShowsSpeedLimits."""
        return self._get("ShowsSpeedLimits", path_of("v3", "tasks", task_id, "speed-limit"), speed.SpeedLimits)

    def update_speed(self, task_id: str, limits: speed.SpeedLimits) -> None:
        """UpdateSpeed: new limits by the time of day in place of the old ones."""
        self._send_body("POST", path_of("v3", "tasks", task_id, "speed-limit"), limits)

    def delete_task(self, task_id: str) -> None:
        """DeleteTask."""
        self._delete(path_of("v3", "tasks", task_id))

    def show_cert_key(self, task_id: str) -> CertKey:
        """ShowCertKey, with the CA's certificate."""
        path = path_of("v3", "tasks", task_id, "certkey")
        return self._get("ShowCertKey", path, CertKey, {"enable_ca_cert": True})

    def show_passphrase(self, task_id: str) -> str:
        """ShowPassphrase: the passphrase of the task's private keys."""
        path = path_of("v3", "tasks", task_id, "passphrase")
        return self._get("ShowPassphrase", path, Passphrase).passphrase

    # Wherry's own

    def create_join_token(self, role: str, *, expires_s: int = 3600) -> wherry.JoinToken:
        """Return a new one-time token for an agent or a receiver."""
        request = wherry.JoinTokenRequest(role=JoinRole(role), expires_s=expires_s)
        path = path_of("wherry", "v1", "join-tokens")
        return self._post("CreateJoinToken", path, request, wherry.JoinToken)

    def join_script(self) -> bytes:
        """Return the script that installs the agent on a server."""
        return self._transport.send(Call(method="GET", path=path_of("wherry", "v1", "join-script")))

    def update_receiver(self, receiver_id: str, announcement: wherry.ReceiverAnnouncement) -> None:
        """Announce a receiver, or say that it's still there."""
        self._put(path_of("wherry", "v1", "receivers", receiver_id), announcement)

    def list_receivers(self) -> wherry.ReceiverList:
        """Return the account's receivers."""
        return self._get("ListReceivers", path_of("wherry", "v1", "receivers"), wherry.ReceiverList)

    def list_assignments(
        self, receiver_id: str, *, known: int | None = None, wait_s: float = LONG_POLL_S
    ) -> wherry.Assignments:
        """Return the tasks that land on a receiver; waits up to *wait_s* while the version is still *known*."""
        path = path_of("wherry", "v1", "receivers", receiver_id, "assignments")
        return self._get("ListAssignments", path, wherry.Assignments, {"known": known}, wait_s=wait_s)

    def show_route(self, task_id: str) -> wherry.Route:
        """Return where the task's blocks go; assigns a receiver when none is assigned yet."""
        return self._get("ShowRoute", path_of("wherry", "v1", "tasks", task_id, "route"), wherry.Route)

    def update_replication(self, task_id: str, figures: wherry.ReplicationFigures) -> None:
        """Store the figures of a task's replication."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "replication"), figures)

    def show_replication(self, task_id: str) -> wherry.ReplicationFigures:
        """Return the figures of a task's replication."""
        path = path_of("wherry", "v1", "tasks", task_id, "replication")
        return self._get("ShowReplication", path, wherry.ReplicationFigures)

    def store_log(self, task_id: str, log: AgentLog) -> None:
        """Hand the log of a task's agent in. Repeating it is harmless."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "log"), log)

    def submit_half(self, task_id: str, side: str, half: wherry.ProofHalf) -> None:
        """Hand in one side's half (``source`` or ``receiver``) of a checkpoint's proof."""
        checkpoint, side = str(half.checkpoint), ProofSide(side).value
        self._put(path_of("wherry", "v1", "tasks", task_id, "checkpoints", checkpoint, "halves", side), half)

    def show_proof(self, task_id: str, checkpoint: int | None = None) -> wherry.Proof:
        """Return the signed proof of a checkpoint, or the newest one. 404 while a half is missing."""
        middle = () if checkpoint is None else ("checkpoints", str(checkpoint))
        return self._get("ShowProof", path_of("wherry", "v1", "tasks", task_id, *middle, "proof"), wherry.Proof)

    def show_landing(self, task_id: str, *, known: int | None = None, wait_s: float = 0.0) -> landing.Landing:
        """Return what became of a task's landed system; waits up to *wait_s* while the version is still *known*."""
        path = path_of("wherry", "v1", "tasks", task_id, "landing")
        return self._get("ShowLanding", path, landing.Landing, {"known": known}, wait_s=wait_s)

    def begin_landing(
        self, task_id: str, checkpoint: int, failed_units: Sequence[str] | None = None
    ) -> landing.Landing:
        """Say that a consistent checkpoint is proven. Repeating it is harmless.

        *failed_units*: of systemd, on the source; None where that isn't known.
        """
        path = path_of("wherry", "v1", "tasks", task_id, "landing")
        units = None if failed_units is None else list(failed_units)
        body = landing.LandingRequest(checkpoint=checkpoint, failed_units=units)
        return self._post("BeginLanding", path, body, landing.Landing)

    def update_target_machine(self, task_id: str, wish: landing.TargetMachineWish) -> None:
        """Replace what is wished of the task's target machine."""
        self._put(path_of("wherry", "v1", "tasks", task_id, "target-machine"), wish)

    def show_console(self, rehearsal_id: str) -> str:
        """Return what a rehearsed copy wrote to its console."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id, "console")
        return self._transport.send(Call(method="GET", path=path)).decode(errors="replace")

    def show_screenshot(self, rehearsal_id: str) -> bytes:
        """Return the picture of a rehearsed copy's screen, as PNG."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id, "screenshot")
        return self._transport.send(Call(method="GET", path=path))

    def update_order(self, receiver_id: str, order_id: str, report: landing.OrderReport) -> None:
        """Report how far a receiver is with an order. Repeating it is harmless."""
        self._put(path_of("wherry", "v1", "receivers", receiver_id, "orders", order_id), report)

    def order_rehearsal(self, task_id: str, request: landing.RehearsalRequest) -> str:
        """Order a rehearsal and return its id. Not tried again once it may have arrived."""
        path = path_of("wherry", "v1", "tasks", task_id, "rehearsals")
        return self._post("OrderRehearsal", path, request, CreatedId, repeatable=False).id

    def show_rehearsal(self, rehearsal_id: str) -> landing.Rehearsal:
        """Return a rehearsal."""
        path = path_of("wherry", "v1", "rehearsals", rehearsal_id)
        return self._get("ShowRehearsal", path, landing.Rehearsal)

    def list_rehearsals(self, **filters: object) -> landing.RehearsalList:
        """Return the rehearsals that match; *filters* are the operation's query parameters."""
        return self._get("ListRehearsals", path_of("wherry", "v1", "rehearsals"), landing.RehearsalList, filters)

    def launch_target(self, task_id: str) -> None:
        """Have a landed system started. Not tried again once it may have arrived."""
        self._send_body("POST", path_of("wherry", "v1", "tasks", task_id, "launch"), {}, repeatable=False)

    def roll_back_target(self, task_id: str) -> None:
        """Have a launched target rolled back. Not tried again once it may have arrived."""
        self._send_body("POST", path_of("wherry", "v1", "tasks", task_id, "rollback"), {}, repeatable=False)

    def record_target(self, task_id: str) -> str:
        """Have console and screen of a launched target recorded; return the order's id. Repeating it is harmless."""
        path = path_of("wherry", "v1", "tasks", task_id, "recordings")
        return self._post("RecordTarget", path, Empty(), CreatedId).id

    def show_target_console(self, task_id: str) -> str:
        """Return the end of what a target had written to its console when it was recorded last."""
        path = path_of("wherry", "v1", "tasks", task_id, "console")
        return self._transport.send(Call(method="GET", path=path)).decode(errors="replace")

    def show_target_screenshot(self, task_id: str) -> bytes:
        """Return the picture of a target's screen when it was recorded last, as PNG."""
        path = path_of("wherry", "v1", "tasks", task_id, "screenshot")
        return self._transport.send(Call(method="GET", path=path))

    def list_events(self, task_id: str) -> wherry.StateEvents:
        """Return the state changes of a task and its source, oldest first."""
        return self._get("ListEvents", path_of("wherry", "v1", "tasks", task_id, "events"), wherry.StateEvents)

    def ready(self) -> None:
        """Return when the control plane says that it's ready."""
        self._transport.send(Call(method="GET", path="/readyz"))

    def _get(
        self,
        operation: str,
        path: str,
        kind: type[T],
        query: Mapping[str, object] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> T:
        body = self._transport.send(Call(method="GET", path=path, query=query, wait_s=wait_s))
        return _decode(operation, body, kind)

    def _post(self, operation: str, path: str, content: object, kind: type[T], *, repeatable: bool = True) -> T:
        return _decode(operation, self._send_body("POST", path, content, repeatable=repeatable), kind)

    def _put(self, path: str, content: object) -> None:
        self._send_body("PUT", path, content)

    def _delete(self, path: str) -> None:
        self._transport.send(Call(method="DELETE", path=path))

    def _send_body(self, method: str, path: str, content: object, *, repeatable: bool = True) -> bytes:
        body = msgspec.json.encode(content)
        return self._transport.send(Call(method=method, path=path, body=body, repeatable=repeatable))


def join(
    endpoint: str, ca_file: Path | None, token: str, name: str, *, policy: RetryPolicy | None = None
) -> wherry.Joined:
    """Trade a one-time token for a key under *name*.

    Raises what every call raises. A token that was used already is refused with 401, so a join whose answer was lost
    can't be repeated: it needs a new token.
    """
    with ControlPlane(endpoint, "", "", ca_file, policy=policy) as control_plane:
        request = wherry.JoinRequest(token=token, name=name)
        path = path_of("wherry", "v1", "join")
        return control_plane._post("Join", path, request, wherry.Joined, repeatable=False)  # noqa: SLF001 (one module)


def _decode(operation: str, body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AnswerUnreadable(operation=operation, reason=str(error)) from error
