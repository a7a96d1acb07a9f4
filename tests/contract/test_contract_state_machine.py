"""The state machine of the running server against a model of it: every action, result and report in every state, and
users and agents at random.

After each call what it touched is read back. In the end everything is: what every play acknowledged, the results of
commands and the history of states in the database, and that no transition ever was one that the reference forbids.

A few hundred random calls by default; ``make contract-long``, or WHERRY_STEPS=N, makes as many as asked for, other
ones each time.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.contract import model_tables as tables
from tests.contract import stored
from tests.contract.model import ModelSource
from tests.contract.play import USUAL_TASK, Play, Tally, check_kept, check_source
from tests.contract.quick import QuickClient
from tests.contract.running import Raw, Server

STEPS = int(os.environ.get("WHERRY_STEPS", "400"))
LONG = "WHERRY_STEPS" in os.environ
STEPS_OF_AN_EXAMPLE = 100

COMMANDS = (
    "START",
    "STOP",
    "SYNC",
    "SKIP",
    "PREMIGRATE",
    "UPLOAD_LOG",
    "RSET_LOG_ACL",
    "NETWORK_CHECK",
    "DELETE",
    "SOMETHING_NEW",
)
UNHEARD_OF = ("collect_log", "sync_failed_rollback", "START", "")
"""Operations that older versions knew, and none."""


def _go_on(play: Play, source: ModelSource, *actions: str) -> None:
    for action in actions:
        play.act(source, action)
        while play.go_on(source):
            pass


def _skip(play: Play, source: ModelSource, *, to: str) -> None:
    play.act(source, "start")
    while play.go_on(source, stop_at="CHECK_CONSISTENCY"):
        pass
    if to == "SYNCING":
        play.copy_state(source, "syncing", "syncing")
    play.act(source, "skip")


def _fail(play: Play, source: ModelSource, action: str) -> None:
    play.act(source, action)
    play.report(source, "START", "fail", {"error_code": "SMS.5102"})


def _fail_while_syncing(play: Play, source: ModelSource) -> None:
    _go_on(play, source, "start")
    play.copy_state(source, "error", "syncing")


def _stop(play: Play, source: ModelSource) -> None:
    play.act(source, "start")
    play.act(source, "stop")


def _drill_once_stopped(play: Play, source: ModelSource) -> None:
    _go_on(play, source, "start", "stop")
    play.act(source, "migration_test")


def _stop_while_syncing(play: Play, source: ModelSource) -> None:
    _go_on(play, source, "start")
    play.act(source, "stop")
    play.report(source, "STOP", "success", {})


def _cut_over(play: Play, source: ModelSource) -> None:
    _go_on(play, source, "start")
    play.act(source, "cutover")


ROADS: dict[str, Callable[[Play, ModelSource], None]] = {
    "READY": lambda _play, _source: None,
    "RUNNING": lambda play, source: play.act(source, "start"),
    "SYNCING": lambda play, source: _go_on(play, source, "start"),
    "SKIPPING": lambda play, source: _skip(play, source, to="RUNNING"),
    "SKIPPING once SYNCING": lambda play, source: _skip(play, source, to="SYNCING"),
    "MIGRATE_SUCCESS": lambda play, source: _go_on(play, source, "start", "cutover"),
    "MIGRATE_FAIL": lambda play, source: _fail(play, source, "start"),
    "SYNC_FAIL": _fail_while_syncing,
    "ABORTING": _stop,
    "ABORT": lambda play, source: _go_on(play, source, "start", "stop"),
    "ABORT once SYNCING": _stop_while_syncing,
    "cutting over": _cut_over,
    "READY in a drill": lambda play, source: play.act(source, "migration_test"),
    "ABORT in a drill": _drill_once_stopped,
}
"""How a task gets into each state that it can be in."""


@pytest.fixture(scope="module")
def client(server: Server, raw: Raw) -> Iterator[QuickClient]:
    quick = QuickClient(server, raw)
    yield quick
    quick.close()


@pytest.fixture(scope="module")
def tally(server: Server, client: QuickClient) -> Iterator[Tally]:
    """What the tests with single steps acknowledged, read back after the last of them."""
    everything = Tally()
    yield everything
    check_everything(server, client, everything)


class Traveller:
    """Has a source at the end of a road: the same one as long as nothing has changed about it."""

    def __init__(self, play: Play, road: str) -> None:
        self._play = play
        self._road = road
        self._source: ModelSource | None = None
        self._arrived = ""

    def source(self, **changes: bool) -> ModelSource:
        """Return a source whose task is in the road's state. Only the end of the road is checked."""
        if self._source is None or _standing(self._source) != self._arrived or changes:
            self._play.checking = False
            self._source = self._play.register()
            self._play.create_task(self._source, USUAL_TASK | changes)
            ROADS[self._road](self._play, self._source)
            self._play.checking = True
            self._play.check(self._source)
            self._arrived = _standing(self._source)
        if self._road in tables.TASK_STATES:
            assert self._source.its_task.state == self._road
        return self._source


def _standing(source: ModelSource) -> str:
    """Return how a source stands, without the reports that changed nothing."""
    return repr(replace(source, results=[]))


@pytest.mark.parametrize("road", ROADS)
class TestEachState:
    """One step of every kind in each state that a task can be in."""

    @pytest.fixture
    def play(self, client: QuickClient, tally: Tally) -> Play:
        return Play(client, tally)

    @pytest.fixture
    def there(self, play: Play, road: str) -> Traveller:
        return Traveller(play, road)

    def test_every_action(self, play: Play, there: Traveller) -> None:
        for action in (*tables.ACTIONS, *UNHEARD_OF):
            play.act(there.source(), action)

    def test_actions_with_a_condition(self, play: Play, there: Traveller) -> None:
        source = there.source(need_migration_test=False)
        play.act(source, "migration_test")
        play.act(source, "clone_test", template=None)
        play.act(source, "skip")
        play.act(source, "clear")
        play.act(source, "restart")

    @pytest.mark.parametrize("result", ["success", "fail", "perhaps"])
    def test_the_result_of_every_command(self, play: Play, there: Traveller, result: str) -> None:
        for command in COMMANDS:
            play.report(there.source(), command, result, {"error_code": "SMS.0515"})

    def test_the_collection_of_a_log(self, play: Play, there: Traveller) -> None:
        source = there.source()
        while source.waiting:
            play.report(source, source.waiting[0].name, "success", {})
        for result in ("success", "fail"):
            play.write(source, "log", 1, "")
            play.report(source, "UPLOAD_LOG", result, {})
        play.write(source, "close-log", 1, "")
        play.report(source, "RSET_LOG_ACL", "fail", {})
        play.write(source, "close-log", 1, "")
        play.report(source, "RSET_LOG_ACL", "success", {})
        play.write(source, "close-log", 1, "")

    def test_every_copy_state(self, play: Play, there: Traveller) -> None:
        for state in (*tables.SOURCE_STATES, "init", "flying"):
            cycle = {"finished": "cutovered", "syncing": "syncing"}.get(state, "replicating")
            play.copy_state(there.source(), state, cycle)
        play.copy_state(there.source(), "replicate", "no_ready")

    def test_the_end_of_the_launch(self, play: Play, there: Traveller) -> None:
        source = there.source()
        for subtask in tables.LAUNCH:
            play.progress(source, subtask, 100)

    def test_deleting(self, play: Play, there: Traveller) -> None:
        play.delete_task(there.source())
        play.delete(there.source())


def test_a_start_by_itself_that_fails(client: QuickClient, tally: Tally) -> None:
    play = Play(client, tally)
    source = play.register()
    play.create_task(source, {**USUAL_TASK, "auto_start": True})
    play.report(source, "START", "fail", {"error_code": "SMS.5102", "error_param": []})
    assert source.its_task.state == "MIGRATE_FAIL"


def test_nothing_that_is_allowed_was_left_out(tally: Tally) -> None:
    if not tally.calls:
        pytest.skip("says something of the tests before it only")
    actions, moves = tally.missed()
    assert not actions, "allowed actions that no test took"
    assert not moves, "legal moves that no test made"


def check_everything(server: Server, client: QuickClient, tally: Tally) -> None:
    """Read back what all plays acknowledged, over HTTP and in the database."""
    results, changes = stored.command_results(server.data), stored.state_changes(server.data)
    for source in tally.sources:
        check_source(client, source)
        check_kept(client, source)
        assert results[source.id] == source.results
        assert changes[source.id] == source.moves
    moves = {(old, new) for history in changes.values() for entity, old, new in history if entity == "task"}
    assert moves <= tables.LEGAL, f"transitions that the reference forbids: {moves - tables.LEGAL}"


WHICH = st.integers(0, 2**16)
SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DETAILS = (
    st.builds(lambda code: {"error_code": code, "msg": "said the agent"}, st.sampled_from(["SMS.0515", "SMS.5102"]))
    | st.dictionaries(st.sampled_from(["msg", "where"]), st.text(max_size=20))
    | SOME_JSON.filter(lambda value: value is not None and not isinstance(value, dict))
)
TEMPLATE = st.sampled_from(["a template", "a template", "", None])
ODD_WORDS = st.sampled_from(["flying", "", "no such word"])
SELDOM = st.sampled_from([*[False] * 9, True])
"""Whether to do what would end too many examples early."""

KIND = st.fixed_dictionaries(
    {
        "syncing": st.sampled_from([True, True, False]),
        "is_need_consistency_check": st.sampled_from([True, True, False]),
        "need_migration_test": st.booleans(),
        "exist_server": st.booleans(),
        "auto_start": st.booleans(),
    }
)
"""What kinds of tasks there are."""


class Migrations(RuleBasedStateMachine):
    """Users and agents of one or two sources, at random."""

    def __init__(self, client: QuickClient, tally: Tally) -> None:
        super().__init__()
        self.play = Play(client, tally)

    @property
    def sources(self) -> list[ModelSource]:
        return self.play.sources

    @property
    def moving(self) -> list[ModelSource]:
        """The sources that have a task."""
        return [source for source in self.sources if source.task is not None]

    def any_source(self, which: int) -> ModelSource:
        return self.sources[which % len(self.sources)]

    def any_moving(self, which: int) -> ModelSource:
        return self.moving[which % len(self.moving)]

    @initialize(kind=KIND)
    def a_source_with_a_task(self, kind: dict[str, bool]) -> None:
        self.play.create_task(self.play.register(), kind)

    @precondition(lambda self: len(self.sources) < 2)
    @rule(fit=st.sampled_from([True, True, True, False]), odd=SELDOM, odd_state=st.sampled_from(tables.SOURCE_STATES))
    def register(self, fit: bool, odd: bool, odd_state: str) -> None:
        self.play.register(fit=fit, state=odd_state if odd else None)

    @precondition(lambda self: self.sources)
    @rule(which=WHICH, fit=st.booleans(), disks_only=st.booleans())
    def tell_of_the_machine_again(self, which: int, fit: bool, disks_only: bool) -> None:
        if disks_only:
            self.play.tell_disks(self.any_source(which))
        else:
            self.play.register_again(self.any_source(which), fit=fit)

    @precondition(lambda self: self.sources)
    @rule(which=WHICH, really=SELDOM)
    def delete_source(self, which: int, really: bool) -> None:
        if really:
            self.play.delete(self.any_source(which))

    @precondition(lambda self: self.sources)
    @rule(which=WHICH, kind=KIND)
    def create_task(self, which: int, kind: dict[str, bool]) -> None:
        self.play.create_task(self.any_source(which), kind)

    @precondition(lambda self: self.moving)
    @rule(which=WHICH, action=st.sampled_from([*tables.ACTIONS, *UNHEARD_OF]), template=TEMPLATE, check=st.booleans())
    def act(self, which: int, action: str, template: str | None, check: bool) -> None:
        self.play.act(self.any_moving(which), action, template=template, check=check)

    @precondition(lambda self: self.moving)
    @rule(which=WHICH, choice=WHICH, template=TEMPLATE, check=st.booleans())
    def act_as_the_state_allows(self, which: int, choice: int, template: str | None, check: bool) -> None:
        source = self.any_moving(which)
        actions = [action for action, states in tables.ACTIONS.items() if source.its_task.state in states]
        if actions:
            self.play.act(source, actions[choice % len(actions)], template=template, check=check)

    @precondition(lambda self: self.moving)
    @rule(which=WHICH, really=SELDOM)
    def delete_task(self, which: int, really: bool) -> None:
        if really:
            self.play.delete_task(self.any_moving(which))

    @precondition(lambda self: len(self.moving) >= 2)
    @rule(really=SELDOM)
    def delete_two_tasks_or_none(self, really: bool) -> None:
        if really:
            self.play.delete_tasks(self.moving[:2])

    @precondition(lambda self: self.moving)
    @rule(
        which=WHICH,
        what=st.sampled_from(["log", "close-log", "speed-limit", "configuration-setting", "name"]),
        number=st.integers(0, 1000),
        text=st.text(max_size=20).filter(lambda text: "\0" not in text),
    )
    def write(self, which: int, what: str, number: int, text: str) -> None:
        self.play.write(self.any_moving(which), what, number, text)

    @precondition(lambda self: self.sources)
    @rule(
        which=WHICH,
        name=st.sampled_from(COMMANDS),
        result=st.sampled_from(["success", "success", "fail", "perhaps"]),
        detail=DETAILS,
    )
    def report_anything(self, which: int, name: str, result: str, detail: Any) -> None:
        self.play.report(self.any_source(which), name, result, detail)

    @precondition(lambda self: any(source.waiting for source in self.sources))
    @rule(which=WHICH, result=st.sampled_from(["success", "success", "success", "fail"]), detail=DETAILS)
    def report_what_waits(self, which: int, result: str, detail: Any) -> None:
        waiting = [source for source in self.sources if source.waiting]
        source = waiting[which % len(waiting)]
        self.play.report(source, source.waiting[0].name, result, detail)

    @precondition(lambda self: self.sources)
    @rule(
        which=WHICH,
        state=st.sampled_from([*tables.SOURCE_STATES, "init"]) | ODD_WORDS,
        cycle=st.sampled_from([*tables.CYCLES, *tables.FORMER_CYCLES]) | ODD_WORDS,
        really=SELDOM,
    )
    def copy_state(self, which: int, state: str, cycle: str, really: bool) -> None:
        if really:
            self.play.copy_state(self.any_source(which), state, cycle)

    @precondition(lambda self: self.moving)
    @rule(
        which=WHICH,
        pair=st.sampled_from(
            [
                ("replicate", "replicating"),
                ("syncing", "syncing"),
                ("syncing", "syncing"),
                ("cutovering", "cutovering"),
                ("finished", "cutovered"),
            ]
        ),
    )
    def copy_state_as_agents_do(self, which: int, pair: tuple[str, str]) -> None:
        self.play.copy_state(self.any_moving(which), *pair)

    @precondition(lambda self: self.moving)
    @rule(which=WHICH, subtask=st.sampled_from(tables.SUBTASKS), percent=st.sampled_from([0, 1, 50, 99, 100, 100, 100]))
    def progress(self, which: int, subtask: str, percent: int) -> None:
        self.play.progress(self.any_moving(which), subtask, percent)

    @precondition(lambda self: self.moving)
    @rule(
        which=WHICH,
        times=st.integers(1, 6),
        result=st.sampled_from([*["success"] * 6, "fail"]),
        stop_at=st.sampled_from(["CHECK_CONSISTENCY", "CHECK_CONSISTENCY", ""]),
    )
    def go_on_as_agents_do(self, which: int, times: int, result: str, stop_at: str) -> None:
        source = self.any_moving(which)
        for _ in range(times):
            if not self.play.go_on(source, result=result, stop_at=stop_at):
                return

    def teardown(self) -> None:
        for source in self.sources:
            self.play.check(source)
            check_kept(self.play.client, source)


def run(machine: Callable[[], Migrations], steps: int) -> None:
    """Run examples of about so many steps together."""
    run_state_machine_as_test(
        cast("Any", machine),  # any callable that returns a machine will do
        settings=settings(
            max_examples=max(1, -(-steps // STEPS_OF_AN_EXAMPLE)),
            stateful_step_count=STEPS_OF_AN_EXAMPLE,
            deadline=None,
            derandomize=not LONG,
            database=None,
            phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],  # shrinking takes minutes
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(3600 if LONG else 120)
def test_random_users_and_agents(server: Server, client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally()
    started = time.monotonic()
    run(lambda: Migrations(client, tally), STEPS)
    while LONG and tally.calls < STEPS:
        run(lambda: Migrations(client, tally), STEPS - tally.calls)
    check_everything(server, client, tally)
    seconds = time.monotonic() - started
    if LONG:
        with capsys.disabled():
            sys.stdout.write(f"\n{tally.calls} random calls in {seconds:.0f} s, {tally.refused} of them refused; ")
            sys.stdout.write("not met: {} actions in a state, {} moves\n".format(*map(len, tally.missed())))
    assert tally.calls >= STEPS / 2
