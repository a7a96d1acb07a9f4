"""The operator's commands around a freeze: before it, while everything stands still, and after the thaw.

For databases and the like: the first one lets them write down what they hold in memory, the last one lets them go on.
Whoever was asked to stand still is always told to go on, also when the freeze was given up and when the agent was
killed in between: the agent notes that it owes the last command before it runs the first one.
"""

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import structlog

from wherry.agent.errors import HookFailed
from wherry.errors import WherryError
from wherry.process import run

HOOK_LIMIT_S = 30.0
"""How long a command before the freeze or after the thaw may take, in seconds, unless the operator says otherwise."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The commands as they were given, words separated as in a shell; empty means none.

    *limit_s*: for the one before and the one after. The frozen one has what is left of the freeze.
    """

    before_freeze: str = ""
    frozen: str = ""
    after_thaw: str = ""
    limit_s: float = HOOK_LIMIT_S


class Hooks:
    """Runs the commands; what is owed is noted in the agent's state folder."""

    def __init__(self, settings: HookSettings, state: Path) -> None:
        self._settings = settings
        self._owed = state / "thaw-owed"

    @property
    def frozen(self) -> bool:
        """Whether there is a command for the frozen moment."""
        return bool(self._settings.frozen)

    def before_freeze(self) -> bool:
        """Run the command before the freeze and tell whether there is one. Raises HookFailed."""
        settings = self._settings
        if settings.after_thaw:
            # A disk that refuses the note is no reason not to go on: only a killed agent would need it.
            with contextlib.suppress(OSError):
                self._owed.touch()
        if not settings.before_freeze:
            return False
        _run("--before-freeze", settings.before_freeze, settings.limit_s)
        return True

    def run_frozen(self, timeout_s: float) -> None:
        """Run the command for the frozen moment, if there is one. Raises HookFailed."""
        if self._settings.frozen:
            _run("--frozen-hook", self._settings.frozen, timeout_s)

    def after_thaw(self) -> HookFailed | None:
        """Run the command after the thaw; return its failure, which undoes nothing of what was copied."""
        failure = None
        if self._settings.after_thaw:
            try:
                _run("--after-thaw", self._settings.after_thaw, self._settings.limit_s)
            except HookFailed as error:
                log.warning("hook_failed", **error.facts)
                failure = error
        with contextlib.suppress(OSError):
            self._owed.unlink(missing_ok=True)
        return failure

    def make_good(self) -> None:
        """Run the command after the thaw for an agent that was killed before it could."""
        if self._owed.exists():
            log.warning("thaw_hook_owed", consequence="the command of --after-thaw is run now")
            self.after_thaw()


def _run(option: str, command: str, timeout_s: float) -> None:
    try:
        run(shlex.split(command), timeout_s=timeout_s)
    except (WherryError, ValueError, OSError) as error:
        raise HookFailed(option=option, reason=str(error)) from error
