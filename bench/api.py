"""Requests a second and CPU a request: the control plane against OpenStack Keystone and moto server, in the same run.

64 connections that stay open, each with its next request as soon as the last one is answered. The CPU is that of the
server's processes, children included, from /proc. Everybody takes his turn in every round, and ratios are formed within
a round. Part of `python -m bench`.
"""

import argparse
import contextlib
import os
import platform
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.api_peers import keystone, moto
from bench.floor import NAME as FLOOR
from bench.floor import floor
from bench.load import run_load
from bench.processes import cpu_seconds
from bench.services import Service
from bench.wherry_api import POLL, RESULT, Kind, wherry

AIMS_US = {POLL: 70.0, RESULT: 120.0}
AIM_RATIO = 25.0
PEER_SHARE = 12
"""A peer gets one request for so many of ours: its requests take that much longer at least."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is asked what."""

    service: str
    operation: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one entry: CPU in microseconds a request, times in milliseconds. The database is counted apart."""

    per_second: float
    server_us: float
    database_us: float
    generator_us: float
    median_ms: float
    worst_percent_ms: float


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--requests", type=int, default=6400, help="requests of a turn of Wherry")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--directory", type=Path, default=None)
    options.add_argument("--no-peers", dest="peers", action="store_false", help="measure Wherry alone")
    options.add_argument("--no-postgresql", dest="postgresql", action="store_false", help="measure SQLite alone")


def main(chosen: argparse.Namespace) -> None:
    """Run the race and print the results as Markdown."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-")))
        ways = [Kind("Wherry, SQLite"), *(stack.enter_context(on_postgresql()) if chosen.postgresql else [])]
        services: list[Service] = [
            stack.enter_context(wherry(place / f"wherry-{number}", way)) for number, way in enumerate(ways)
        ]
        own = [service.name for service in services]
        services.append(stack.enter_context(floor(place / "floor")))
        if chosen.peers:
            services += [stack.enter_context(keystone(place / "keystone")), stack.enter_context(moto(place / "moto"))]
        turns: dict[Entry, list[Turn]] = defaultdict(list)
        for _ in range(chosen.rounds):
            for service in services:
                mine = service.name in (*own, FLOOR)
                requests = chosen.requests if mine else max(64, chosen.requests // PEER_SHARE)
                for operation in service.operations:
                    turns[Entry(service.name, operation)].append(take_turn(service, operation, requests))
    print(f"{chosen.rounds} rounds, kernel {platform.release()}, load {os.getloadavg()[0]:.1f}\n")
    print(as_markdown(turns))
    if chosen.peers:
        print(ratios_as_markdown(turns, own))


@contextlib.contextmanager
def on_postgresql() -> Iterator[list[Kind]]:
    """Start a PostgreSQL server, durable as it comes, and yield the ways to run the control plane over it.

    None where the machine has no PostgreSQL.
    """
    from tests.system.postgresql_cluster import running_cluster  # noqa: PLC0415 - it loads pytest

    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        print("No PostgreSQL server is installed: SQLite alone.\n")
        yield []
        return
    with running_cluster() as cluster:
        if cluster.process is None:
            raise ChildProcessError(cluster.log.read_text())
        yield [
            Kind(
                f"Wherry, PostgreSQL, {workers} worker{'s' * (workers > 1)}",
                ["--database", cluster.create(f"race{workers}"), "--workers", str(workers)],
                cluster.process.pid,
            )
            for workers in (1, 2)
        ]


def take_turn(service: Service, operation: str, requests: int) -> Turn:
    """Let *service* answer *requests* requests. Raises RuntimeError where one of them fails."""
    readings: list[tuple[float, float]] = []
    process = service.process

    def read_cpu() -> None:
        database = 0.0 if process.database is None else cpu_seconds(process.database)
        readings.append((cpu_seconds(process.pid), database))

    load = run_load(service.job(operation, requests), read_cpu, read_cpu)
    if set(load.statuses) != {"200"}:
        raise RuntimeError(f"{service.name}, {operation}: {load.statuses}")
    (server_before, database_before), (server_after, database_after) = readings
    return Turn(
        per_second=load.requests / load.wall_s,
        server_us=(server_after - server_before) / load.requests * 1e6,
        database_us=(database_after - database_before) / load.requests * 1e6,
        generator_us=load.cpu_s / load.requests * 1e6,
        median_ms=load.median_s * 1e3,
        worst_percent_ms=load.worst_percent_s * 1e3,
    )


def as_markdown(turns: Mapping[Entry, Sequence[Turn]]) -> str:
    """Return the medians as a Markdown table."""
    figures_told = "requests/s | CPU µs a request | its database's | the generator's | median ms | 99 % ms"
    rows = [f"| service | operation | {figures_told} | aim µs |", "|---" * 9 + "|"]
    for entry, own in turns.items():
        figures = [
            statistics.median(getattr(turn, name) for turn in own)
            for name in ("per_second", "server_us", "database_us", "generator_us", "median_ms", "worst_percent_ms")
        ]
        aim = f"{AIMS_US[entry.operation]:.0f}" if entry.operation in AIMS_US else ""
        shown = " | ".join(f"{figure:,.{digits}f}" for figure, digits in zip(figures, (0, 0, 0, 0, 1, 1), strict=True))
        rows.append(f"| {entry.service} | {entry.operation} | {shown} | {aim} |")
    return "\n".join([*rows, ""])


def ratios_as_markdown(turns: Mapping[Entry, Sequence[Turn]], own: Sequence[str]) -> str:
    """Return how many times the CPU of each of our operations a peer's request takes."""
    peers = [entry for entry in turns if entry.service not in (*own, FLOOR)]
    head = " | ".join(f"{entry.service}, {entry.operation}" for entry in peers)
    rows = [f"| CPU a request = 1 | {head} |", "|---" * (len(peers) + 1) + "|"]
    for entry in turns:
        if entry.service in own:
            ratios = [
                statistics.median(
                    theirs.server_us / ours.server_us for ours, theirs in zip(turns[entry], turns[peer], strict=True)
                )
                for peer in peers
            ]
            shown = " | ".join(f"{ratio:.0f}" for ratio in ratios)
            rows.append(f"| {entry.service}, {entry.operation} | {shown} |")
    return "\n".join([*rows, "", f"Aim: at least {AIM_RATIO:.0f}.", ""])
