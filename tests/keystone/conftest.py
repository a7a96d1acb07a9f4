"""One Keystone and one control plane that works with it, for all tests of this folder (`make test-keystone`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.running import Raw, Server, running_server
from tests.keystone.cloud import INSTALLED, PASSWORD, Administrator, Keystone, login, running_keystone

SERVICE = """
url = "{url}"
account = "{account}"
remember_s = 1

[service]
user = "wherry"
password = "{password}"
project = "service"
"""


@dataclass(frozen=True)
class Cloud:
    """A Keystone with people in it. In the domain Default, projects alpha and beta; ids by name."""

    keystone: Keystone
    admin: Administrator
    ids: dict[str, str]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A Keystone with a service user, and with an administrator, a member and a reader in the project alpha."""
    if not INSTALLED.exists():
        pytest.skip("no Keystone in build/keystone: run `make test-keystone`")
    with running_keystone(tmp_path_factory.mktemp("keystone") / "data") as keystone:
        admin = Administrator(keystone)
        ids = {name: admin.project(name) for name in ("service", "alpha", "beta")}
        ids["wherry"] = admin.user("wherry", {ids["service"]: "service"})
        for role in ("admin", "member", "reader", "guest"):
            ids[role] = admin.user(f"{role}-of-alpha", {ids["alpha"]: role})
        ids["beta-member"] = admin.user("member-of-beta", {ids["beta"]: "member"})
        yield Cloud(keystone, admin, ids)
        admin.close()


def settings_file(path: Path, keystone: Keystone, account: str) -> Path:
    """Write the settings of the back end."""
    path.write_text(SERVICE.format(url=keystone.url, account=account, password=PASSWORD))
    return path


@pytest.fixture(scope="session")
def server(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A control plane whose users Keystone knows; a project is an account."""
    folder = tmp_path_factory.mktemp("control-plane")
    settings = settings_file(folder / "keystone.toml", cloud.keystone, "project")
    with running_server(folder / "data", options=["--keystone", str(settings)]) as running:
        yield running
    log = running.log.read_text()
    assert "Traceback" not in log
    assert PASSWORD not in log


@pytest.fixture(scope="session")
def raw(server: Server) -> Iterator[Raw]:
    """Plain HTTP to the control plane, signed with the key of the built-in administrator where it's signed."""
    client = Raw(server)
    yield client
    client.close()


LogIn = Callable[..., str]


@pytest.fixture(scope="session")
def log_in(raw: Raw) -> LogIn:
    """Log in through the control plane; gives the token."""

    def logging_in(user: str, project: str = "alpha", **options: Any) -> str:
        answer = raw.bare("POST", "/v3/auth/tokens", json=login(user, project=project, **options))
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])

    return logging_in


def code(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, str(answer.json().get("error_code", ""))
