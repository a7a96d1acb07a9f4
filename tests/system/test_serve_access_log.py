"""The access log of `wherry serve`: a line for each request, in order, and none lost by the end of the process."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.system.serve_process import ServeProcess, start


def lines_of(running: ServeProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log.read_text().splitlines()]


def test_requests_and_refusals_are_in_the_log_in_their_order_soon(tmp_path: Path) -> None:
    running = start(tmp_path / "data", options=["--no-tls"])
    try:
        with httpx.Client(base_url=running.admin["endpoint"]) as http:
            ids = [http.get(path).headers["x-request-id"] for path in ("/v3/tasks", "/nowhere", "/healthz") * 5]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and ids[-1] not in running.log.read_text():
            time.sleep(0.02)
        logged = [line for line in lines_of(running) if line.get("request_id") in set(ids)]
        assert [line["request_id"] for line in logged] == ids
        assert [line["status"] for line in logged] == [401, 404, 200] * 5
        assert {line["event"] for line in logged} == {"request"}
        stamps = [line["timestamp"] for line in lines_of(running)]
        assert stamps == sorted(stamps)
    finally:
        running.stop()


def test_sigterm_amid_requests_loses_no_line(tmp_path: Path) -> None:
    running = start(tmp_path / "data", options=["--no-tls"])
    answered: list[str] = []

    def ask() -> None:
        with httpx.Client(base_url=running.admin["endpoint"]) as http:
            while True:
                try:
                    answered.append(http.get("/healthz").headers["x-request-id"])
                except httpx.TransportError:
                    return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    try:
        assert running.stop() == 0
    finally:
        running.kill()
        for thread in threads:
            thread.join()
    logged = [line["request_id"] for line in lines_of(running) if line["event"] == "request"]
    assert len(answered) > 20
    assert set(answered) <= set(logged)
    assert len(logged) == len(set(logged))
    assert lines_of(running)[-1]["event"] == "stopped"
