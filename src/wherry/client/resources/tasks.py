"""Tasks: made, listed, acted on, and what their agents report of them."""

from wherry.client.calling import Caller
from wherry.client.transport import path_of
from wherry.contract import speed, tasks
from wherry.contract.channel_secrets import CertKey, Passphrase
from wherry.contract.consistency import ConsistencyResults
from wherry.contract.enumerations import Action
from wherry.contract.network_check import NetworkCheck
from wherry.contract.values import CreatedId


class TaskOperations(Caller):
    """Tasks: made, listed, acted on, and what their agents report of them."""

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

    def update_task(self, task_id: str, update: tasks.TaskUpdate) -> None:
        """UpdateTask: what isn't sent stays."""
        self._put(path_of("v3", "tasks", task_id), update)

    def collect_log(self, task_id: str, bucket: str) -> None:
        """CollectLog: have the agent hand its log in. Repeating it is harmless."""
        self._send_body("POST", path_of("v3", "tasks", task_id, "log"), tasks.LogCollection(log_bucket=bucket))

    def show_consistency_result(self, task_id: str) -> ConsistencyResults:
        """ShowConsistencyResult."""
        path = path_of("v3", "tasks", task_id, "consistency-result")
        return self._get("ShowConsistencyResult", path, ConsistencyResults)

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
