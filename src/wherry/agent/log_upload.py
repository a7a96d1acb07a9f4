"""Handing the agent's own log in, when it's asked for by UPLOAD_LOG.

What the agent said since it started is kept in memory, bounded, and not in a file: a server whose own root is frozen
couldn't write one. Keys and secrets never are in a log; what looks like one is taken out all the same.
"""

import gzip
import re
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from msgspec import json

from wherry import logs
from wherry.agent.decisions import Answer
from wherry.client.errors import ControlPlaneError
from wherry.client.patience import passing
from wherry.contract.enumerations import CommandResult
from wherry.contract.task_log import AgentLog

KEPT_CHARACTERS: Final = 2 << 20
"""Of what the agent says, the newest so many are kept; compressed, that is always within the contract's limit."""

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL
)
_HIDDEN: Final = "[hidden]"


class LogDesk(Protocol):
    """Where a log is handed in."""

    def hand_in_log(self, task_id: str, log: AgentLog) -> None:
        """Store the log of the task's agent."""


class LogUpload:
    """Hands the log in. *about*: what the first line says of this agent. *secrets*: texts that mustn't be in it."""

    def __init__(self, desk: LogDesk, about: Mapping[str, str], secrets: Sequence[str]) -> None:
        self._desk = desk
        self._about = about
        self._secrets = [secret for secret in secrets if secret]

    def __call__(self, task_id: str) -> Answer:
        """Hand the log in for a task and return what UPLOAD_LOG is answered with.

        Raises ControlPlaneUnreachable, and ControlPlaneError for a refusal that passes by itself.
        """
        now_ms = time.time_ns() // 1_000_000
        lines = [json.encode({**self._about, "task_id": task_id, "taken_at": now_ms}).decode(), *logs.kept()]
        content = gzip.compress(self._clean("\n".join([*lines, ""])).encode("utf-8", "backslashreplace"), 6)
        try:
            self._desk.hand_in_log(task_id, AgentLog(taken_at=now_ms, content=content))
        except ControlPlaneError as error:
            if passing(error):
                raise
            return Answer(CommandResult.FAIL, {"msg": error.message, "task_id": task_id, "error_code": error.code})
        return Answer(CommandResult.SUCCESS, {"msg": f"{len(lines)} lines handed in", "task_id": task_id})

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _PRIVATE_KEY.sub(_HIDDEN, text)
