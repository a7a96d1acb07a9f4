"""Many agents in long poll on one process: memory a connection, CPU while all of them wait, and how fast one is woken.

Each agent has joined and registered, signs with its own key, and asks with ``Prefer: wait=30`` again and again. Part of
`python -m bench`.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.descriptors import allow_connections
from bench.fleet import Agent, enlist, start_one
from bench.polls import PollJob, crowd
from bench.processes import cpu_seconds, resident_bytes
from bench.services import HOST
from bench.wherry_api import administrator, serving

AIM_BYTES = 30_000
SETTLE_S = 2.0


def add_options(options: argparse.ArgumentParser) -> None:
    """Declare what can be chosen on the command line."""
    options.add_argument("--agents", type=int, default=10_000)
    options.add_argument("--wait", type=int, default=30, help="seconds of a poll")
    options.add_argument("--directory", type=Path, default=None)


def main(chosen: argparse.Namespace) -> None:
    """Hold the agents for a little more than one poll and print the figures as Markdown."""
    allow_connections(chosen.agents)
    with tempfile.TemporaryDirectory(dir=chosen.directory, prefix="wherry-bench-") as place:
        directory = Path(place) / "wherry"
        with serving(directory) as process:
            signer = administrator(directory, process)
            agents = enlist(process.port, signer, chosen.agents, tasks=False)
            job = PollJob(HOST, process.port, _polls(agents, chosen.wait))
            idle = resident_bytes(process.pid)
            with crowd(job) as clients:
                time.sleep(SETTLE_S)
                waiting = resident_bytes(process.pid)
                cpu_before, since = cpu_seconds(process.pid), time.monotonic()
                woken_at = start_one(process.port, signer, agents[len(agents) // 2])
                time.sleep(chosen.wait)
                share = (cpu_seconds(process.pid) - cpu_before) / (time.monotonic() - since)
                after = resident_bytes(process.pid)
                answers = clients.end()
    if set(answers.statuses) != {"200"} or answers.lost or not answers.started:
        raise RuntimeError(answers)
    each = (waiting - idle) / chosen.agents
    print(f"{chosen.agents:,} agents, polls of {chosen.wait} s, kernel {platform.release()}")
    print(f"load {os.getloadavg()[0]:.1f}\n")
    print("| figure | value |\n|---|---|")
    print(f"| memory of the server before the first connection | {idle / 1e6:.1f} MB |")
    print(f"| with all agents waiting | {waiting / 1e6:.1f} MB |")
    print(f"| after all of them asked again | {after / 1e6:.1f} MB |")
    print(f"| a connection (aim: under {AIM_BYTES / 1000:.0f} kB) | {each / 1000:.1f} kB |")
    print(f"| time until all were connected | {clients.connecting_s:.1f} s |")
    print(f"| CPU of the server while they wait and ask again | {share:.1%} of a core |")
    print(f"| from a task's start to its agent's command | {(answers.started[0] - woken_at) * 1000:.1f} ms |")
    print(f"| waits of the polls | {answers.shortest_wait_s:.1f} to {answers.longest_wait_s:.1f} s |\n")


def _polls(agents: Sequence[Agent], wait_s: int) -> list[list[bytes]]:
    """Return for each agent three polls: its first, the one after that, and one to spare."""
    return [
        [agent.signer.request("GET", f"/v3/sources/{agent.source_id}/command", wait_s=wait_s) for _ in range(3)]
        for agent in agents
    ]
