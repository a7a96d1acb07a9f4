"""Every cell of the authorisation matrix, asked of a running control plane with one request."""

import copy
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract import documents
from tests.contract.people import FULL_ACCESS, OWN, READ_ONLY, Key, make_account, make_policy, make_user, token_of
from tests.contract.running import Raw, Server, running_server
from wherry.contract.operations import OPERATIONS
from wherry.iam.keys import MasterKey
from wherry.iam.matrix import ANONYMOUS, DENIED, Answer, Caller, matrix, names
from wherry.iam.tokens import TokenIssuer
from wherry.server.openapi_examples import BODIES, PROJECT_ID, SOURCE_ID, TASK_ID, TEMPLATE_ID

CELLS = [
    pytest.param(operation, caller, expected, id=f"{operation}-{caller.name.lower()}")
    for operation, row in matrix().items()
    for caller, expected in row.items()
]
_COUNT = itertools.count(1)


@dataclass(frozen=True)
class Things:
    """What requests are about."""

    source: str
    task: str
    template: str
    project: str
    unmoved: str
    """A source without a task."""


class Setting:
    """A control plane with everybody who calls, and things for them to call about."""

    def __init__(self, raw: Raw, server: Server) -> None:
        self.raw = raw
        self._project = ""
        self._keys: dict[Caller, Key] = {
            Caller.OWNER: (server.admin.access_key, server.admin.secret_key),
            Caller.FULL_ACCESS: make_user(raw, "full", FULL_ACCESS).key,
            Caller.READ_ONLY: make_user(raw, "reader", READ_ONLY).key,
        }
        denying = make_policy(raw, "denying", {"Effect": "Deny", "Action": list(DENIED)})
        self._keys[Caller.CUSTOM_DENY] = make_user(raw, "denied", FULL_ACCESS, denying).key
        other = make_account(raw, "other")
        self._keys[Caller.OTHER_ACCOUNT] = other["access_key"], other["secret_key"]
        agent, self.of_agent = self._agent()
        self._keys[Caller.OWN_AGENT] = self._keys[Caller.OTHER_AGENT] = agent
        self.shared = self.fresh()
        self._tokens = {Caller.EXPIRED: self._expired(server), Caller.REVOKED: self._revoked()}

    def fresh(self, parameter: str = "") -> Things:
        """Make things that nobody has touched yet; of migration projects, of which there may be few, only if asked."""
        number = next(_COUNT)
        source, unmoved = (self.raw.post("/v3/sources", documents.registration(f"s{number}"))["id"] for _ in "ab")
        if not self._project or parameter == "mig_project_id":
            body = {"name": f"p{number}", "region": "r", "type": "MIGRATE_BLOCK"}
            self._project = self.raw.post("/v3/migprojects", body)["id"]
        return Things(
            source,
            self.raw.post("/v3/tasks", documents.task(source))["id"],
            self.raw.post("/v3/vm/templates", {"template": {"name": f"t{number}"}})["id"],
            self._project,
            unmoved,
        )

    def _agent(self) -> tuple[Key, Things]:
        token = self.raw.post(f"{OWN}/join-tokens", {"role": "agent"})["token"]
        joined = self.raw.bare("POST", f"{OWN}/join", json={"token": token, "name": "host"}).json()
        key = joined["access_key"], joined["secret_key"]
        source = self.raw.signed("POST", "/v3/sources", body=documents.registration("own"), key=key).json()["id"]
        task = self.raw.post("/v3/tasks", documents.task(source))["id"]
        return key, Things(source, task, "none", "none", source)

    def _expired(self, server: Server) -> str:
        admin = self.raw.signed("GET", f"{OWN}/users", query="name=admin").json()["users"][0]
        issuer = TokenIssuer(MasterKey.open(server.data / "master.key").box("tokens").fernet)
        yesterday = int(time.time() * 1000) - 25 * 3600 * 1000
        return issuer.issue(user_id=admin["id"], domain_id=server.admin.domain_id, era=0, now_ms=yesterday)[0]

    def _revoked(self) -> str:
        token = token_of(self.raw, make_user(self.raw, "gone", FULL_ACCESS))
        ended = self.raw.by_token(token, "DELETE", "/v3/auth/tokens", headers={"X-Subject-Token": token})
        assert ended.status_code == 204
        return token

    def ask(self, operation: str, caller: Caller, expected: Answer) -> httpx.Response:
        """Send the request of a cell."""
        shape = OPERATIONS[operation]
        path, body = self._request(operation, self._things(operation, caller, expected))
        if caller is Caller.NOBODY:
            return self.raw.bare(shape.method, path, json=body)
        if caller in self._tokens:
            return self.raw.by_token(self._tokens[caller], shape.method, path, json=body)
        return self.raw.signed(shape.method, path, body=body, key=self._keys[caller])

    def _things(self, operation: str, caller: Caller, expected: Answer) -> Things:
        if caller is Caller.OWN_AGENT:
            return self.of_agent
        changes = OPERATIONS[operation].method != "GET" and expected.status == 200
        return self.fresh(names(operation)) if changes else self.shared

    def _request(self, operation: str, things: Things) -> tuple[str, Any]:
        about = things.unmoved if operation in {"CreateTask", "UpdateDiskInfo"} else things.source
        found = {SOURCE_ID: about, TASK_ID: things.task, TEMPLATE_ID: things.template, PROJECT_ID: things.project}
        path = OPERATIONS[operation].path
        for name, value in (
            ("{source_id}", about),
            ("{server_id}", about),
            ("{task_id}", things.task),
            ("{id}", things.template),
            ("{mig_project_id}", things.project),
            ("{version}", "v3"),
        ):
            path = path.replace(name, value)
        body = _with_ids(copy.deepcopy(BODIES.get(operation)), found)
        if operation == "RegisterServer":
            body["id"] = things.source
        if operation == "CreateTask":
            body["target_server"]["vm_id"] = f"vm-{next(_COUNT)}"
        if operation == "CreateMigproject":
            body["name"] = f"made-{next(_COUNT)}"
        return path, body


def _with_ids(value: Any, found: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _with_ids(member, found) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_ids(member, found) for member in value]
    return found.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A control plane of its own: default projects and agreements are changed here."""
    data: Path = tmp_path_factory.mktemp("matrix") / "data"
    with running_server(data, tls=False) as server:
        raw = Raw(server)
        yield Setting(raw, server)
        raw.close()


@pytest.mark.parametrize(("operation", "caller", "expected"), CELLS)
def test_a_cell(setting: Setting, operation: str, caller: Caller, expected: Answer) -> None:
    answer = setting.ask(operation, caller, expected)
    assert answer.status_code == expected.status, answer.text
    if expected.code:
        assert answer.json()["error_code"] == expected.code
        if expected.status == 403:
            assert answer.json()["encoded_authorization_message"]
    elif operation not in ANONYMOUS and operation != "ExportConsistencyResults":
        assert "error_code" not in answer.json()
