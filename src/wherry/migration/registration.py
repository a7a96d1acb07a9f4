"""What a registration makes of a source: its checks, its state, its cycle.

Source: the protocol reference, "states" 1.4. A new source goes through the checks to `waiting`/`setting` or to
`unavailable`/`checking`. Registering again judges it anew as long as nothing was begun; a source at work keeps its
state, whatever its agent says of the environment after a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.contract.enumerations import MigrationCycle, SourceState
from wherry.contract.errors import ApiError
from wherry.contract.sources import EnvironmentCheck, Registration
from wherry.migration import checks
from wherry.migration.records import SourceRecord

_NOT_BEGUN = frozenset({SourceState.UNAVAILABLE, SourceState.WAITING})


@dataclass(frozen=True, slots=True)
class Admission:
    """How a registered source stands."""

    state: SourceState
    migration_cycle: str
    checks: Sequence[EnvironmentCheck]


def admit(registration: Registration, known: SourceRecord | None) -> Admission:
    """Return how the source stands after *registration*; *known* is its record when it's registered already.

    A state and a cycle that the client sends are taken as sent, but a `waiting` that the checks contradict.

    Raises ApiError SMS.9001 for a state that the protocol doesn't know.
    """
    findings = checks.environment_checks(registration)
    judged = checks.verdict(findings)
    state = _state(registration, known, judged)
    return Admission(state, _cycle(registration, known, state), findings)


def _state(registration: Registration, known: SourceRecord | None, judged: SourceState) -> SourceState:
    if registration.state:
        try:
            sent = SourceState(registration.state)
        except ValueError:
            detail = f"state: no state is called {registration.state!r}"
            raise ApiError("SMS.9001", detail, params=("state",)) from None
        return judged if sent is SourceState.WAITING else sent
    if known is None or known.state in _NOT_BEGUN:
        return judged
    return known.state


def _cycle(registration: Registration, known: SourceRecord | None, state: SourceState) -> str:
    if registration.migration_cycle:
        return registration.migration_cycle
    if known is not None and known.state is state:
        return known.migration_cycle
    if state is SourceState.UNAVAILABLE:
        return MigrationCycle.CHECKING
    if known is None or state is SourceState.WAITING:
        return MigrationCycle.SETTING
    return known.migration_cycle
