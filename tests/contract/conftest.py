"""One control plane for the contract tests of a session, and the clients that talk to it.

The clients live as long as a module, so that a module may have a `server` of its own.
"""

import uuid
from collections.abc import Iterator

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdksms.v3 import SmsClient

from tests.contract import documents
from tests.contract.running import NO_RETRY, JoinAs, Raw, Server, faultless_server
from tests.contract.vendor import vendor_client
from wherry.client.control_plane import ControlPlane, join


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A control plane with TLS, ended by SIGTERM after the last test. Nothing that is sent may make it fault."""
    with faultless_server(tmp_path_factory.mktemp("contract") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def sdk(server: Server) -> SmsClient:
    """The vendor's client with the administrator's key."""
    return vendor_client(server, BasicCredentials(server.admin.access_key, server.admin.secret_key))


@pytest.fixture(scope="module")
def raw(server: Server) -> Iterator[Raw]:
    """Plain signed HTTP with the administrator's key."""
    client = Raw(server)
    yield client
    client.close()


@pytest.fixture(scope="module")
def control_plane(server: Server) -> Iterator[ControlPlane]:
    """Wherry's own client with the administrator's key."""
    with server.control_plane() as client:
        yield client


@pytest.fixture
def source_id(raw: Raw) -> str:
    """A source, freshly registered with every field filled."""
    return str(raw.post("/v3/sources", documents.registration(f"web-{uuid.uuid4().hex[:8]}"))["id"])


@pytest.fixture
def task_id(raw: Raw, source_id: str) -> str:
    """A task for `source_id`, READY."""
    return str(raw.post("/v3/tasks", documents.task(source_id))["id"])


@pytest.fixture
def join_as(server: Server, control_plane: ControlPlane) -> JoinAs:
    """Join as an agent or a receiver; gives access key, secret key and receiver id."""

    def joining(role: str, name: str) -> tuple[str, str, str]:
        token = control_plane.create_join_token(role).token
        joined = join(server.endpoint, server.ca_file, token, name, policy=NO_RETRY)
        return joined.access_key, joined.secret_key, joined.receiver_id

    return joining


@pytest.fixture
def agent(server: Server, join_as: JoinAs) -> Iterator[ControlPlane]:
    """A client with a new agent's key, not bound yet."""
    access_key, secret_key, _ = join_as("agent", f"host-{uuid.uuid4().hex[:8]}")
    with ControlPlane(server.endpoint, access_key, secret_key, server.ca_file, policy=NO_RETRY) as client:
        yield client
