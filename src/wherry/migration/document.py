"""`docs/states.md`, written from the tables of the rules: ``python -m wherry.migration.document > docs/states.md``.

A unit test holds the file up to date.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence

from wherry.contract.enumerations import Action, LandingState, OrderStage, SourceState, TaskState
from wherry.migration import actions, commands, copystate, deletion, events, landing, progress

_INTRODUCTION = """\
# States, actions and commands

Written by `python -m wherry.migration.document` from the tables in `src/wherry/migration/`. Don't edit it by hand:
change the table, then write the file again.

A *task* goes through its states by the user's actions (`POST /v3/tasks/{task_id}/action`) and by what the source's
agent reports: results of commands, the state of the copy, progress. Its *source* has a state and a cycle of its own.
What isn't in these tables changes nothing.

"""


def render() -> str:
    """Return the whole document."""
    return "".join(
        (
            _INTRODUCTION,
            _diagram(),
            _actions_by_state(),
            _outcomes(),
            _conditions(),
            _results(),
            _reports(),
            _landings(),
            _deleting(),
            _events(),
        )
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _diagram() -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for action, row in actions.TABLE.items():
        for state, outcome in row.items():
            if isinstance(outcome, actions.Allowed) and outcome.task is not None:
                arrows.setdefault((state, outcome.task), []).append(action)
    for (name, result), effects in commands.EFFECTS.items():
        for state, effect in effects.items():
            for target in _targets(effect):
                arrows.setdefault((state, target), []).append(f"{name} {result}")
    for why, moves in _report_rows():
        for before, after in moves.items():
            arrows.setdefault((before, after), []).append(why)
    lines = [f"    {before} --> {after}: {', '.join(why)}\n" for (before, after), why in arrows.items()]
    return (
        "## The states of a task\n\n"
        "Lower case: actions of a user. Upper case: results of commands. The actions test and cutover leave the task "
        "SYNCING until the launch is done.\n\n"
        "```mermaid\nstateDiagram-v2\n    [*] --> READY: CreateTask\n" + "".join(lines) + "```\n\n"
    )


def _targets(effect: commands.Effect) -> Sequence[TaskState]:
    if effect.resumes:
        return (TaskState.RUNNING, TaskState.SYNCING)
    return () if effect.task is None else (effect.task,)


def _actions_by_state() -> str:
    rows = [[f"**{action}**", *(_cell(actions.decide(action, state)) for state in TaskState)] for action in Action]
    return (
        "## Every action in every state\n\n"
        "A state in a cell is what the task becomes, `=` means that it stays, a code is what the action is refused "
        "with.\n\n" + _table(["action", *(str(state) for state in TaskState)], rows)
    )


def _cell(outcome: actions.Outcome) -> str:
    if isinstance(outcome, actions.Refused):
        return outcome.code
    return f"`{outcome.task}`" if outcome.task else "`=`"


def _outcomes() -> str:
    rows: list[list[str]] = []
    for action, row in actions.TABLE.items():
        by_outcome: dict[actions.Allowed, list[str]] = {}
        for state, outcome in row.items():
            if isinstance(outcome, actions.Allowed):
                by_outcome.setdefault(outcome, []).append(state)
        rows.extend(
            [
                f"**{action}**",
                ", ".join(states),
                outcome.task or "=",
                outcome.source or "=",
                outcome.cycle or "=",
                outcome.command or "",
                "; ".join(filter(None, (outcome.error_code and f"error {outcome.error_code}", outcome.note))),
            ]
            for outcome, states in by_outcome.items()
        )
    head = ["action", "in", "task becomes", "source becomes", "cycle becomes", "command sent", "besides"]
    return "## What allowed actions do\n\n" + _table(head, rows)


def _conditions() -> str:
    rows = [
        [f"**{action}**", condition.text, condition.code]
        for action, conditions in actions.CONDITIONS.items()
        for condition in conditions
    ]
    return "## What actions ask for besides the state\n\n" + _table(["action", "only when", "otherwise"], rows)


def _results() -> str:
    rows: list[list[str]] = []
    for (name, result), effects in commands.EFFECTS.items():
        by_effect: dict[commands.Effect, list[str]] = {}
        for state, effect in effects.items():
            by_effect.setdefault(effect, []).append(state)
        rows.extend(
            [
                f"**{name}** {result}",
                "any state" if len(states) == len(TaskState) else ", ".join(states),
                _effect_on_task(effect),
                _effect_on_source(effect),
            ]
            for effect, states in by_effect.items()
        )
    return (
        "## What results of commands do\n\n"
        "Only the result of the oldest command that waits for the source takes effect, and only `success` and `fail`. "
        "Any other is stored and does nothing: a result without a waiting command, one that comes twice, one of a "
        "command that a later one has overtaken. A failed result's error code is taken from its detail; when "
        "that holds none it's WHERRY.5603.\n\n"
        + _table(["result", "task in", "task becomes", "source becomes"], rows)
        + "A poll without a waiting command is answered TASK_NOT_STARTED (no task, or one that needs no command), "
        "TASK_HAS_STOPPED (stopped or failed) or TASK_HAS_FINISHED.\n\n"
    )


def _effect_on_task(effect: commands.Effect) -> str:
    if effect.resumes:
        return "what it was before the skip, by the source's cycle"
    if effect.log:
        return f"= (log collection {effect.log})"
    return effect.task or "="


def _effect_on_source(effect: commands.Effect) -> str:
    if effect.resumes:
        return "what it was before the skip"
    return "/".join(filter(None, (effect.source, effect.cycle))) or "="


def _report_rows() -> list[tuple[str, Mapping[TaskState, TaskState]]]:
    rows = [
        (
            f"reports {report.state}"
            + (f"/{report.cycle}" if report.cycle else "")
            + (" (task with syncing)" if report.needs_syncing else ""),
            report.task,
        )
        for report in copystate.REPORTS
    ]
    launched = {state: TaskState.MIGRATE_SUCCESS for state in TaskState if state in progress.AT_WORK}
    return [*rows, ("launch subtasks at 100 %", launched)]


def _reports() -> str:
    rows = [[why, before, after] for why, moves in _report_rows() for before, after in moves.items()]
    guarded = ", ".join(f"`{state}`" for state in SourceState if state in copystate.GUARDED)
    fallback = ", ".join(report.error_code for report in copystate.REPORTS if report.error_code)
    return (
        "## What an agent's reports do\n\n"
        f"UpdateCopyState sets the source's state and cycle as sent, unless the source is {guarded}: then the report "
        "is accepted and changes nothing. Once the user has ordered the cutover of a SYNCING task, reports of an "
        "earlier stage change nothing either. A failed task shows the code with which the agent's last progress "
        "report begins (process_trace), with message, cause and fix as its parameters; where it begins with none, "
        f"it's {fallback}.\n\n" + _table(["report", "task in", "task becomes"], rows)
    )


def _landings() -> str:
    moved = [
        [f"**{kind}**", *(f"`{stages[stage]}`" if stage in stages else "" for stage in OrderStage)]
        for kind, stages in landing.AFTER.items()
    ]
    acted = [
        [f"**{action}**", ", ".join(f"`{state}`" for state in LandingState if state in allowed), kind, f"`{state}`"]
        for action, (kind, state, allowed) in landing.ACTIONS.items()
    ]
    meant = [[f"`{state}`", landing.OUTCOMES[state]] for state in LandingState]
    return (
        "## What becomes of a landed system\n\n"
        "A receiver that boots what lands there (driver `qemu`) gets orders. What it reports of the order that the "
        "landing follows moves the landing (`GET /wherry/v1/tasks/{task_id}/landing`); an order that has ended moves "
        "nothing any more.\n\n"
        + _table(["order", *OrderStage], moved)
        + "A task at work whose landing has `passed` gets the order launch at once, unless it was created with "
        "start_target_server false. Its agent may report the launch as done when the outcome is success; sooner it's "
        "refused with WHERRY.5604. A landing that has `passed` is a success where no launch follows. The actions stop, "
        "start, restart and error_for_overspeed take back what is under way.\n\n"
        + _table(["landing", "outcome"], meant)
        + _table(["a user's order", "only in", "order", "landing becomes"], acted)
    )


def _deleting() -> str:
    busy = ", ".join(f"`{state}`" for state in SourceState if state in deletion.BUSY)
    return (
        "## Deleting\n\n"
        "A task is refused with SMS.7719, and a source with a task with SMS.2015, while the source is connected and "
        f"its state is one of {busy}. A deleted task is gone at once; its source goes back to waiting/setting, and "
        "commands that wait for the agent are taken back.\n"
    )


def _events() -> str:
    rows = [
        [entity, f"`{state}`", ", ".join(sorted(arrival.silent_from - {state})), arrival.event]
        for entity, table in (("task", events.TASK), ("landing", events.LANDING))
        for state, arrival in table.items()
    ]
    rows[0][2] = "any state"  # it came into being
    rows += [["rehearsal", f"`{verdict}`", "", event] for verdict, event in events.REHEARSAL.items()]
    return (
        "\n## What subscriptions are told of\n\n"
        "Reaching a state is an event (`docs/notifications.md`), except from states out of which a task comes as it "
        "went in.\n\n" + _table(["of", "reaches", "but not from", "event"], rows)
    )


if __name__ == "__main__":
    sys.stdout.write(render())
