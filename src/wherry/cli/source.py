"""`wherry source`: the servers that are to be moved."""

from typing import Final

from cyclopts import App
from rich.table import Table

from wherry.cli.asking import USUAL, Asking
from wherry.cli.batch import do_each, tell
from wherry.cli.confirming import Yes, confirm
from wherry.cli.fleet import ANY_SOURCE, SourceFilter, find_project, find_source, find_sources
from wherry.cli.output import Column, facts, moment, show, size, table
from wherry.contract.disk_choice import ChosenDisk
from wherry.contract.enumerations import CheckResult
from wherry.contract.overview import Overview
from wherry.contract.sources import (
    EnvironmentCheck,
    MigrationError,
    MigrationErrorList,
    SourceDetail,
    SourceList,
    SourceSummary,
    SourceUpdate,
)
from wherry.errors import ExitStatus

app = App(name="source")

COLUMNS: Final = (
    Column[SourceSummary]("name", lambda each: each.name),
    Column[SourceSummary]("id", lambda each: each.id),
    Column[SourceSummary]("state", lambda each: each.state.value),
    Column[SourceSummary]("stage", lambda each: each.migration_cycle),
    Column[SourceSummary]("connected", lambda each: each.connected),
    Column[SourceSummary]("address", lambda each: each.ip),
    Column[SourceSummary]("system", lambda each: each.os_version),
    Column[SourceSummary]("copied", lambda each: size(each.replicate_size), numeric=True),
    Column[SourceSummary]("of", lambda each: size(each.total_size), numeric=True),
)
_CHECKS: Final = (
    Column[EnvironmentCheck]("check", lambda each: each.name),
    Column[EnvironmentCheck]("result", lambda each: each.result.value),
    Column[EnvironmentCheck]("code", lambda each: each.error_code),
    Column[EnvironmentCheck]("what", lambda each: each.error_or_warn),
)
_DISKS: Final = (
    Column[ChosenDisk]("disk", lambda each: each.name),
    Column[ChosenDisk]("size", lambda each: size(each.size), numeric=True),
    Column[ChosenDisk]("used", lambda each: size(each.used_size), numeric=True),
    Column[ChosenDisk]("partition table", lambda each: each.partition_style),
    Column[ChosenDisk]("moved", lambda each: each.need_migration is not False),
)
_ERRORS: Final = (
    Column[MigrationError]("name", lambda each: each.name),
    Column[MigrationError]("id", lambda each: each.source_id),
    Column[MigrationError]("error", lambda each: each.error_json),
)


@app.command(name="list")
def list_sources(*sources: str, wanted: SourceFilter = ANY_SOURCE, asking: Asking = USUAL) -> None:
    """List sources.

    Parameters
    ----------
    sources:
        Ids, names, or patterns such as 'web-*'; all without one.
    """
    with asking.connect() as plane:
        found = find_sources(plane, sources, wanted)
    show(SourceList(count=len(found), source_servers=found), table(COLUMNS, found), json=asking.json)


@app.command(name="show")
def show_source(source: str, /, *, asking: Asking = USUAL) -> int:
    """Show what is known of a source: its system, its disks, and whether it can be moved.

    Exit status 1: an environment check says that it can't be moved.

    Parameters
    ----------
    source:
        Its id or its name.
    """
    with asking.connect() as plane:
        found = plane.show_server(find_source(plane, source).id)
    show(
        found, _described(found), table(_DISKS, found.disks or ()), table(_CHECKS, found.checks or ()), json=asking.json
    )
    failed = any(check.result is CheckResult.ERROR for check in found.checks or ())
    return ExitStatus.NOT_SO if failed else ExitStatus.DONE


@app.command
def rename(source: str, name: str, /, *, asking: Asking = USUAL) -> None:
    """Give a source another name.

    Parameters
    ----------
    source:
        Its id or its name.
    name:
        Its new name.
    """
    with asking.connect() as plane:
        plane.update_server(find_source(plane, source).id, SourceUpdate(name=name))


@app.command
def move(*sources: str, to: str, wanted: SourceFilter = ANY_SOURCE, asking: Asking = USUAL) -> int:
    """Put sources into another migration project, whose label they get.

    Parameters
    ----------
    sources:
        Ids, names, or patterns such as 'web-*'; all that the options leave without one.
    to:
        Name or id of the project.
    """
    with asking.connect() as plane:
        project = find_project(plane, to)
        found = find_sources(plane, sources, wanted)
        update = SourceUpdate(migproject_id=project.id)
        outcomes = do_each(found, lambda each: plane.update_server(each.id, update), _name)
    return tell(outcomes, json=asking.json)


@app.command
def delete(
    source: str, /, *sources: str, yes: Yes = False, wanted: SourceFilter = ANY_SOURCE, asking: Asking = USUAL
) -> int:
    """Delete the records of sources with their tasks. The servers themselves stay as they are.

    Parameters
    ----------
    source:
        Id, name, or pattern such as 'web-*'.
    sources:
        More of them.
    yes:
        Don't ask.
    """
    with asking.connect() as plane:
        found = find_sources(plane, (source, *sources), wanted)
        confirm("Deleting the source(s)", [each.name for each in found], yes=yes)
        outcomes = do_each(found, lambda each: plane.delete_server(each.id), _name)
    return tell(outcomes, json=asking.json)


@app.command
def overview(*, asking: Asking = USUAL) -> None:
    """Count the sources in each state."""
    with asking.connect() as plane:
        found = plane.show_overview()
    counts = [(name, getattr(found, name)) for name in Overview.__struct_fields__]
    show(found, facts(*((name, count) for name, count in counts if count)), json=asking.json)


@app.command
def errors(*, asking: Asking = USUAL) -> int:
    """List the sources whose task has failed, and why. Exit status 1: there are some."""
    with asking.connect() as plane:
        found: list[MigrationError] = []
        while more := plane.list_error_servers(limit=100, offset=len(found)).migration_errors:
            found += more
    show(MigrationErrorList(count=len(found), migration_errors=found), table(_ERRORS, found), json=asking.json)
    return ExitStatus.NOT_SO if found else ExitStatus.DONE


def _name(source: SourceSummary) -> tuple[str, str]:
    return source.id, source.name


def _described(source: SourceDetail) -> Table:
    task = source.current_task
    return facts(
        ("name", source.name),
        ("id", source.id),
        ("state", source.state.value),
        ("stage", source.migration_cycle),
        ("connected", source.connected),
        ("last contact", moment(source.last_visit_time)),
        ("addresses", ", ".join(filter(None, (source.ip, source.ipv6)))),
        ("system", source.os_version),
        ("kernel", source.kernel_version),
        ("firmware", source.firmware),
        ("processors", source.cpu_quantity),
        ("label", source.enterprise_project_id),
        ("agent", source.agent_version),
        ("task", None if task is None else f"{task.name} ({task.id}), {task.state}"),
    )
