"""The web console with a large fleet: how long pages take, and what browsers cost that follow what happens.

Tasks run and report their progress all the time; what that costs by itself is measured first, and taken away from what
is used while browsers watch. Part of `python -m bench`.
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec

from bench.fleet import registration, task
from bench.processes import cpu_seconds
from bench.services import HOST
from bench.wherry_api import serving

AIM_PAGE_MS = 300
AIM_SHARE = 0.05
SETTLE_S = 3.0
_ROUNDS = 20
_PAGES = ("/", "/console/sources", "/console/sources?sort=progress&descending=true", "/console/sources?search=99")
_LIVE = ("/console/live/overview", "/console/live/sources", "/console/live/sources?work=running&size=200")


@dataclass(frozen=True, slots=True)
class Running:
    """A task that reports: its id, and the step that it's at."""

    task_id: str
    step: str


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--sources", type=int, default=1000)
    options.add_argument("--running", type=int, default=200)
    options.add_argument("--browsers", type=int, default=10)
    options.add_argument("--reports", type=float, default=40.0, help="reports of progress a second, of all tasks")
    options.add_argument("--seconds", type=float, default=15.0, help="how long each live page is watched")
    options.add_argument("--directory", type=Path, default=None)


def main(chosen: argparse.Namespace) -> None:
    """Fill a control plane, ask for pages, watch live ones, and print the figures as Markdown."""
    with tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-") as place:
        data = Path(place) / "wherry"
        with serving(data) as process, signed_in(data, process.port) as (api, browser):
            tasks = fill(api, chosen.sources, chosen.running)
            print(f"{chosen.sources:,} sources, {len(tasks)} running tasks, kernel {platform.release()}")
            print(f"load {os.getloadavg()[0]:.1f}\n\n| page | median | worst | size |\n|---|---|---|---|")
            for path in _PAGES:
                median_ms, worst_ms, size = asked(browser, path)
                print(f"| `{path}` (aim: under {AIM_PAGE_MS} ms) | {median_ms:.0f} ms | {worst_ms:.0f} ms | {size} B |")
            with reporting(api, tasks, chosen.reports):
                alone = share(process.pid, chosen.seconds)
                print("\n| live page | of a core | sent |\n|---|---|---|")
                print(f"| nobody watches; {chosen.reports:.0f} reports a second | {alone:.1%} | |")
                for path in _LIVE:
                    with watching(browser, path, chosen.browsers) as sent:
                        before = sum(sent)
                        more = share(process.pid, chosen.seconds) - alone
                        rate = (sum(sent) - before) / chosen.seconds / 1000
                    aim = f"aim: under {AIM_SHARE:.0%}"
                    print(f"| `{path}`, {chosen.browsers} browsers ({aim}) | {more:+.1%} | {rate:.0f} kB/s |")
    print()


@contextmanager
def signed_in(data: Path, port: int) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Yield a client of the API and a browser, both of the first administrator."""
    admin = msgspec.json.decode((data / "admin.json").read_bytes(), type=dict[str, str])
    form = {"name": admin["user_name"], "password": admin["password"], "account": admin["domain_name"]}
    headers = {"accept": "text/html", "accept-encoding": "identity", "sec-fetch-site": "same-origin"}
    base = f"http://{HOST}:{port}"
    with httpx.Client(base_url=base, headers=headers, timeout=60) as browser:
        browser.post("/console/sign-in", data=form)
        token = next(iter(browser.cookies.jar)).value or ""
        with httpx.Client(base_url=base, headers={"X-Auth-Token": token}) as api:
            yield api, browser


def fill(api: httpx.Client, sources: int, running: int) -> Sequence[Running]:
    """Register sources; give twice as many of them a task as run, and start those."""
    for number in range(sources):
        made = _done(api.post("/v3/sources", json=registration(number)))
        if number < 2 * running:
            created = _done(api.post("/v3/tasks", json=task(made["id"])))
            if number < running:
                _done(api.post(f"/v3/tasks/{created['id']}/action", json={"operation": "start"}))
    fleet = _done(api.get("/wherry/v1/fleet", params={"work": "running", "limit": "1000"}))
    return [Running(member["task"]["id"], member["task"]["step"]) for member in fleet["members"]]


def asked(browser: httpx.Client, path: str) -> tuple[float, float, int]:
    """Return how long a page takes, median and worst of some rounds in milliseconds, and its size uncompressed."""
    times_ms, size = [], 0
    for _ in range(_ROUNDS):
        since = time.perf_counter()
        answer = browser.get(path)
        times_ms.append((time.perf_counter() - since) * 1000)
        answer.raise_for_status()
        size = len(answer.content)
    return statistics.median(times_ms), max(times_ms), size


def share(pid: int, seconds: float) -> float:
    """Return how much of a core a process uses over *seconds*."""
    time.sleep(SETTLE_S)
    before, since = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - since)


@contextmanager
def reporting(api: httpx.Client, tasks: Sequence[Running], per_second: float) -> Iterator[None]:
    """Let the tasks report one after the other, *per_second* reports, all the while."""
    ending, chance = threading.Event(), Random(1)

    def report() -> None:
        number = 0
        while not ending.wait(1 / per_second):
            one = tasks[number % len(tasks)]
            number += 1
            figures = {"replicatesize": chance.randrange(100), "totalsize": 100, "remain_time": chance.randrange(9999)}
            body = {"subtask_name": one.step, "progress": chance.randrange(100), "process_trace": "", **figures}
            _done(api.put(f"/v3/tasks/{one.task_id}/progress", json={**body, "migrate_speed": chance.random() * 900}))

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@contextmanager
def watching(browser: httpx.Client, path: str, count: int) -> Iterator[list[int]]:
    """Let *count* browsers follow a live page; yield how many bytes each was sent."""
    ending, sent = threading.Event(), [0] * count

    def watch(place: int) -> None:
        with browser.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
            answer.raise_for_status()
            for piece in answer.iter_raw():
                sent[place] += len(piece)
                if ending.is_set():
                    return

    threads = [threading.Thread(target=watch, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def _done(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()
