"""Several workers on one PostgreSQL: what one has seen or changed of keys, tokens and signatures counts in all."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.contract.people import READ_ONLY, make_user, token_of
from tests.contract.running import Raw, Server, running_server
from tests.system.postgresql_cluster import running_cluster

CONNECTIONS = 16
"""Enough that, with three workers, none of them gets all or nothing of it (once in a thousand runs)."""

NOTICED_S = 0.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_cluster() as cluster:
        options = ["--database", cluster.create("access"), "--workers", "3"]
        with running_server(tmp_path_factory.mktemp("workers") / "data", tls=False, options=options) as running:
            yield running


@contextmanager
def connections(server: Server) -> Iterator[list[Raw]]:
    """Open many connections from one other address; the kernel spreads them over the workers."""
    clients = [Raw(server, local_address="127.0.0.2") for _ in range(CONNECTIONS)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


@pytest.fixture
def raw(server: Server) -> Iterator[Raw]:
    client = Raw(server)
    yield client
    client.close()


def test_no_worker_takes_what_another_has_taken(server: Server, raw: Raw) -> None:
    first = raw.signed("POST", "/v3/vm/templates", body={"template": {"name": "once"}})
    assert first.status_code == 200
    time.sleep(NOTICED_S)
    headers = {name: first.request.headers[name] for name in ("authorization", "x-sdk-date", "content-type")}
    with connections(server) as clients:
        for client in clients:
            answer = client.bare("POST", "/v3/vm/templates", content=first.request.content, headers=headers)
            assert answer.status_code == 401, answer.text
            assert "used before" in answer.json()["error_msg"]
    assert raw.get("/v3/vm/templates")["count"] == 1


def test_no_worker_lets_in_whom_another_has_shut_out(server: Server, raw: Raw) -> None:
    person = make_user(raw, "anna", READ_ONLY)
    token = token_of(raw, person)
    with connections(server) as clients:
        for client in clients:
            assert client.by_token(token, "GET", "/v3/sources").status_code == 200
            assert client.signed("GET", "/v3/sources", key=person.key).status_code == 200
        raw.put(person.path, {"enabled": False})
        time.sleep(NOTICED_S)
        for client in clients:
            assert client.by_token(token, "GET", "/v3/sources").status_code == 401
            assert client.signed("GET", "/v3/sources", key=person.key).status_code == 401


def test_every_worker_has_the_console_and_knows_who_has_signed_in(server: Server, raw: Raw) -> None:
    browser = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    password = json.loads((server.data / "admin.json").read_text())["password"]
    form = {"name": "admin", "password": password}
    answer = raw.bare("POST", "/console/sign-in", headers=browser, data=form)
    assert answer.status_code == 303, answer.text
    cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    with connections(server) as clients:
        for client in clients:
            assert client.bare("GET", "/console/sources", headers=browser | cookie).status_code == 200
        assert raw.bare("POST", "/console/sign-out", headers=browser | cookie).status_code == 303
        time.sleep(NOTICED_S)
        for client in clients:
            assert client.bare("GET", "/console/sources", headers=browser | cookie).status_code == 303
