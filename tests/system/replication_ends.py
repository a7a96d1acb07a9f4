"""A receiver and an agent as small programs of their own, so that tests can kill them; they speak JSON lines on stdout.

`receiver CONFIG` serves one task. `agent CONFIG` runs a pass for each line that it reads, and tries again while the
receiver is away.
"""

import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from wherry.disks.direct import open_reader
from wherry.disks.extents import Extent
from wherry.errors import WherryError
from wherry.replication.errors import ConnectionLost
from wherry.replication.messages import DiskLine, Hello
from wherry.replication.pacing import Pace
from wherry.replication.receiving import serve_session
from wherry.replication.replica import Checkpoint, Replica
from wherry.replication.sending import PassFigures, PassMemory, SendOptions, SourceDisk, SourceSession
from wherry.replication.transport import Identity, accept, client_context, server_context, server_name_of

TASK = "task"


def say(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def serve(config: dict[str, Any]) -> None:
    images = Path(config["images"])

    def create(index: int, size: int) -> Path:
        path = images / f"disk{index}.img"
        with path.open("ab") as file:
            file.truncate(size)
        return path

    replica = Replica.open(Path(config["state"]), TASK, create)
    identity = Identity(**config["receiver"])
    context = server_context(lambda name: identity if name == server_name_of(TASK) else None)
    listener = socket.create_server(("127.0.0.1", config["port"]))
    say(event="ready", port=listener.getsockname()[1])

    def committed(checkpoint: Checkpoint) -> None:
        half = replica.half(checkpoint.number)
        say(event="half", checkpoint=checkpoint.number, roots=[disk.root for disk in half.disks])

    def attend(connection: socket.socket) -> None:
        try:
            summary = serve_session(accept(connection, context).stream, replica, on_commit=committed)
        except WherryError as error:
            say(event="refused", code=error.code, message=error.message)
        else:
            say(event="session", orderly=summary.orderly)

    while True:
        threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()


def send(config: dict[str, Any]) -> None:
    path = Path(config["source"])
    reader = open_reader(path)
    disk = SourceDisk(0, "source", reader.size, reader)
    hello = Hello(task_id=TASK, source_id="s", disks=(DiskLine(index=0, name="source", size=reader.size),))
    context = client_context(Identity(**config["agent"]))
    memory = PassMemory()
    for line in sys.stdin:
        number = int(line)
        while True:
            try:
                run(config, disk, hello, context, number, memory)
            except ConnectionLost as error:
                say(event="lost", reason=error.message)
                time.sleep(0.1)
            else:
                break


def run(config: dict[str, Any], disk: SourceDisk, hello: Hello, context: Any, number: int, memory: PassMemory) -> None:
    options = SendOptions(memory=8 << 20, compress=config["compress"])
    address = ("127.0.0.1", config["port"])
    session = SourceSession.connect(address, context, server_name_of(TASK), hello, options=options)
    try:
        if session.next_pass != number:
            say(event="committed", checkpoint=session.checkpoint, early=True)
            return
        say(event="begun", open_pass=session.open_pass)

        def watch(figures: PassFigures) -> None:
            say(event="figures", sent=figures.sent_bytes, durable=figures.durable_bytes)

        report = session.run_pass(number, [disk], {0: [Extent(0, disk.size)]}, memory, watch, Pace(config["rate_mbit"]))
        done = session.commit(True, 1, report.covered)
        half = session.half(1, report.covered)
        say(
            event="committed",
            checkpoint=done.checkpoint,
            early=False,
            changed=report.figures.changed_bytes,
            received=done.received_bytes,
            repeated=done.repeated_bytes,
            resent=memory.resent_bytes,
            roots=[line.root for line in half.disks],
        )
    finally:
        session.close()


if __name__ == "__main__":
    {"receiver": serve, "agent": send}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
