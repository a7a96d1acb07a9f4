"""The documentation of a running control plane: fetched by anybody, true to what it answers, its examples sendable."""

import gzip
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.contract.running import Raw, Server
from wherry.contract.catalogue import CATALOGUE

EXAMPLE_NAMES = ("source_id", "task_id", "id", "mig_project_id")


@pytest.fixture(scope="module")
def document(raw: Raw) -> dict[str, Any]:
    """The OpenAPI document, as a stranger fetches it."""
    answer = raw.bare("GET", "/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


class Described:
    """Sends what the document describes, and holds every answer against it."""

    def __init__(self, document: Mapping[str, Any], raw: Raw) -> None:
        self._document = document
        self._raw = raw
        self._known: dict[str, str] = {}
        self._examples: dict[str, str] = {}
        self._calls: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                self._calls[operation["operationId"]] = (method.upper(), path, operation)
                for parameter in operation["parameters"]:
                    if parameter["in"] == "path" and parameter["name"] in EXAMPLE_NAMES:
                        self._examples[parameter["name"]] = parameter["example"]

    def know(self, name: str, value: str) -> None:
        """Use *value* from now on where the examples have the id *name*."""
        self._known[name] = value

    def send(self, operation_id: str, *, query: str = "", **parameters: str) -> httpx.Response:
        """Send the example of an operation, signed, and check the answer against its schema."""
        method, path, operation = self._calls[operation_id]
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                name = parameter["name"]
                value = parameters.get(name) or self._known.get(name.replace("server_id", "source_id"))
                path = path.replace(f"{{{name}}}", value or str(parameter["example"]))
        answer = self._raw.signed(method, path, body=self._body(operation), query=query)
        self.check(answer, operation)
        return answer

    def check(self, answer: httpx.Response, operation: Mapping[str, Any]) -> None:
        """Check that the document foresees the answer."""
        jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
        assert str(answer.status_code) in operation["responses"], answer.text
        response = operation["responses"][str(answer.status_code)]
        if "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"][answer.headers["content-type"].partition(";")[0]]["schema"]
        if answer.headers["content-type"] == "application/json":
            whole = {**schema, "components": self._document["components"]}
            jsonschema.Draft202012Validator(whole).validate(answer.json())

    def _body(self, operation: Mapping[str, Any]) -> Any:
        if "requestBody" not in operation:
            return None
        return self._with_known_ids(operation["requestBody"]["content"]["application/json"]["example"])

    def _with_known_ids(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._with_known_ids(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._with_known_ids(member) for member in value]
        for name, example in self._examples.items():
            if value == example:
                return self._known.get(name, value)
        return value


def test_examples_sent_one_after_the_other_make_a_migration(document: dict[str, Any], raw: Raw) -> None:
    described = Described(document, raw)

    def succeed(operation: str, **arguments: Any) -> Any:
        answer = described.send(operation, **arguments)
        assert answer.status_code == 200, f"{operation}: {answer.text}"
        return answer.json()

    described.know("source_id", succeed("RegisterServer")["id"])
    try:
        _migrate(described, succeed)
    finally:
        described.send("DeleteTask")
        described.send("DeleteServer")


def _migrate(described: Described, succeed: Any) -> None:
    for operation in ("UpdateServerName", "UpdateDiskInfo", "ShowServer", "ListServers", "ListFleet", "ShowOverview"):
        succeed(operation)
    described.know("task_id", succeed("CreateTask")["id"])
    for operation in ("UpdateSpeed", "ShowsSpeedLimits", "UploadSpecialConfigurationSetting", "ShowConfigSetting"):
        succeed(operation)
    succeed("UpdateTaskStatus")
    command = succeed("ShowCommand")
    assert command["command_name"] == "START"
    for operation in ("UpdateCommandResult", "ShowPassphrase", "ShowCertKey", "UpdateCopyState", "UpdateTaskSpeed"):
        succeed(operation)
    for operation in ("UpdateNetworkCheckInfo", "UpdateConsistencyResult", "ShowConsistencyResult", "CollectLog"):
        succeed(operation)
    succeed("StoreLog")
    assert gzip.decompress(described.send("DownloadLog").content) == b"hello\n"
    succeed("CloseLog")
    exported = described.send("ExportConsistencyResults")
    assert exported.status_code == 200
    assert exported.content.startswith(b"PK")
    task = succeed("ShowTask")
    assert task["state"] == "RUNNING"
    for operation in (
        "UpdateTask",
        "ListTasks",
        "ListErrorServers",
        "UpdateReplication",
        "ShowReplication",
        "ListReplicationSamples",
        "ListEvents",
    ):
        succeed(operation)
    for operation in (
        *("UpdateTargetMachine", "ShowTargetMachine", "UpdateRehearsalSettings", "ShowRehearsalSettings"),
        *("ShowLanding", "ListRehearsals", "ShowReport", "RecommendTargetMachine"),
    ):
        succeed(operation)
    for operation in ("BeginLanding", "OrderRehearsal", "LaunchTarget", "RollBackTarget", "RecordTarget"):
        assert described.send(operation).status_code == 400, "nothing has landed"
    for operation in (
        *("ShowRehearsal", "ShowRehearsalConsole", "ShowRehearsalScreenshot", "UpdateOrder"),
        *("ShowTargetConsole", "ShowTargetScreenshot"),
    ):
        assert described.send(operation).status_code == 404, operation
    for half in ("SubmitSourceHalf", "SubmitReceiverHalf"):
        succeed(half)
    assert succeed("ShowProof")["signature"] == succeed("ShowNewestProof")["signature"]


def test_examples_of_templates_and_projects_work(document: dict[str, Any], raw: Raw) -> None:
    described = Described(document, raw)
    for kind, name in (("Template", "id"), ("Migproject", "mig_project_id")):
        created = described.send(f"Create{kind}")
        assert created.status_code == 200, created.text
        described.know(name, created.json()["id"])
        for operation in (f"Update{kind}", f"Show{kind}", f"List{kind}s", f"Delete{kind}"):
            answer = described.send(operation)
            assert answer.status_code == 200, f"{operation}: {answer.text}"


def test_examples_of_subscriptions_work(document: dict[str, Any], raw: Raw) -> None:
    described = Described(document, raw)
    created = described.send("CreateSubscription")
    assert created.status_code == 200, created.text
    assert created.json()["secret"].startswith("whsec_")
    described.know("subscription_id", created.json()["id"])
    described.know("delivery_id", described.send("TestSubscription").json()["id"])
    for operation in ("UpdateSubscription", "ShowSubscription", "ListSubscriptions", "ListDeliveries", "ShowDelivery"):
        answer = described.send(operation)
        assert answer.status_code == 200, f"{operation}: {answer.text}"
    assert described.send("RepeatDelivery").status_code == 409, "it's still under way: nobody has this name"
    assert described.send("DeleteSubscription").status_code == 200


@pytest.mark.parametrize(
    "operation",
    [
        *("ListApiVersion", "ShowApiVersion", "ShowConfig", "CreatePrivacyAgreements", "ShowPrivacyAgreements"),
        *(
            "ListDomains",
            "ListProjects",
            "CreateJoinToken",
            "ListJoinTokens",
            "ListReceivers",
            "Ready",
            "Health",
            "ListErrorCodes",
        ),
        *("ShowErrorCode", "ShowOpenApi"),
    ],
)
def test_answers_of_the_rest_are_as_described(document: dict[str, Any], raw: Raw, operation: str) -> None:
    assert Described(document, raw).send(operation).status_code == 200


def test_refusals_are_as_described_too(document: dict[str, Any], raw: Raw) -> None:
    described = Described(document, raw)
    unknown = str(uuid.uuid4())
    for operation, name in (
        ("ShowServer", "source_id"),
        ("ShowTask", "task_id"),
        ("UpdateTaskStatus", "task_id"),
        ("ShowTemplate", "id"),
        ("ShowMigproject", "mig_project_id"),
        ("ListAssignments", "receiver_id"),
    ):
        assert described.send(operation, **{name: unknown}).status_code in {400, 404}
    assert described.send("ListServers", query="limit=many").status_code == 400
    assert described.send("CreateToken").status_code == 401
    assert described.send("Join").status_code == 401
    described.check(raw.bare("GET", "/v3/tasks"), document["paths"]["/v3/tasks"]["get"])
    described.check(raw.bare("GET", "/v3/auth/domains"), document["paths"]["/v3/auth/domains"]["get"])


def test_every_refusal_leads_to_its_page(raw: Raw) -> None:
    refused = raw.signed("GET", f"/v3/tasks/{uuid.uuid4()}").json()
    explained = raw.bare("GET", f"/errors/{refused['error_code']}").json()
    entry = CATALOGUE[refused["error_code"]]
    assert (explained["cause"], explained["fix"]) == (entry.cause, entry.fix) == (refused["cause"], refused["fix"])


def test_the_pages_need_no_credentials_and_take_none(raw: Raw, server: Server) -> None:
    del server
    for path in ("/openapi.json", "/errors", "/errors/SMS.0515", "/explorer", "/explorer/explorer.js"):
        assert raw.bare("GET", path).status_code == 200
        assert raw.by_token("not a token", "GET", path).status_code == 200
        assert raw.bare("POST", path).status_code == 405
        head = raw.bare("HEAD", path)
        assert head.status_code == 200
        assert head.content == b""
