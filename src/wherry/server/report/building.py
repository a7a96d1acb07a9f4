"""From what is stored of a migration to its report. Pure: no ledger, no clock."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import convert

from wherry.contract.landing import RehearsalStage, RehearsedCheck
from wherry.contract.report import (
    ProvenDisk,
    Report,
    ReportBytes,
    ReportConsistency,
    ReportDisk,
    ReportError,
    ReportEvent,
    ReportProof,
    ReportRehearsal,
    ReportSource,
    ReportTarget,
    ReportVersions,
)
from wherry.contract.wherry import Proof, ReplicationFigures
from wherry.ledger.consistency import ConsistencyRow
from wherry.ledger.landings import LandingRow, OrderRow
from wherry.ledger.receivers import ReceiverRow
from wherry.ledger.rehearsals import RehearsalRow
from wherry.ledger.sources import SourceRow
from wherry.ledger.state_changes import StateChange
from wherry.ledger.tasks import TaskRow
from wherry.migration.failures import explain

_MAX_REASON = 1024


class Stored(msgspec.Struct, frozen=True):
    """What the ledger has of a migration.

    Attributes:
        history: the changes of its states, the oldest first.
        figures: of its replication; None before the first.
        proof: the newest one; None before the first.
        proof_holds: the proof is signed, and the control plane's authority vouches for who did it.
        rehearsals: the newest first; those under way have no result.
        consistency: the newest report on folders.
    """

    task: TaskRow
    source: SourceRow
    receiver: ReceiverRow | None
    history: Sequence[StateChange]
    figures: ReplicationFigures | None
    proof: Proof | None
    proof_holds: bool
    landing: LandingRow
    rehearsals: Sequence[tuple[OrderRow, RehearsalRow | None]]
    consistency: ConsistencyRow | None


def build(stored: Stored, *, at: int, version: str) -> Report:
    """Return the report as of *at* (epoch milliseconds). *version*: of the control plane."""
    task = stored.task
    results = [result for _, result in stored.rehearsals if result is not None]
    return Report(
        task_id=task.id,
        task_name=task.name,
        state=task.state,
        generated_at=at,
        created_at=task.create_date,
        started_at=task.start_date,
        finished_at=task.finish_date,
        duration_ms=_duration(task),
        source=_source(stored.source),
        target=_target(stored),
        versions=_versions(stored, version),
        timeline=sorted(_timeline(stored), key=lambda event: event.at),
        bytes=None if stored.figures is None else _bytes(stored.figures),
        proof=None if stored.proof is None else _proof(stored.proof, holds=stored.proof_holds),
        rehearsals=[_rehearsal(order, result) for order, result in stored.rehearsals if result is not None],
        changes=list(results[0].document.get("changes", ())) if results else [],
        consistency=[] if stored.consistency is None else [_folder(each) for each in stored.consistency.document],
        errors=list(_errors(stored)),
    )


def _duration(task: TaskRow) -> int | None:
    if task.start_date is None or task.finish_date is None:
        return None
    return max(task.finish_date - task.start_date, 0)  # the clock may have been set back


def _source(row: SourceRow) -> ReportSource:
    known = row.document.get
    disks = known("disks") or ()
    return ReportSource(
        id=row.id,
        name=row.name,
        address=row.ip or row.ipv6,
        system=known("os_version") or row.os_type,
        firmware=known("firmware") or "",
        cpus=known("cpu_quantity"),
        memory_mb=known("memory"),
        disks=[ReportDisk(name=disk.get("name") or "", size=disk.get("size") or 0) for disk in disks],
    )


def _target(stored: Stored) -> ReportTarget:
    server = stored.task.document.get("target_server") or {}
    return ReportTarget(
        server_id=stored.landing.server_id or stored.task.target_vm_id,
        name=server.get("name") or "",
        receiver="" if stored.receiver is None else stored.receiver.name,
        landing=stored.landing.state,
    )


def _versions(stored: Stored, version: str) -> ReportVersions:
    return ReportVersions(
        control_plane=version,
        agent=stored.source.document.get("agent_version") or "",
        receiver="" if stored.receiver is None else stored.receiver.version,
    )


def _timeline(stored: Stored) -> Iterator[ReportEvent]:
    """Yield what happened; of what was noted in the same moment, causes first."""
    for order, result in stored.rehearsals:
        if result is not None:
            yield ReportEvent(at=result.finished_at, kind="rehearsal", what=result.verdict, why=order.kind)
    for change in stored.history:
        moved = f"{change.from_state} → {change.to_state}" if change.from_state else change.to_state
        yield ReportEvent(at=change.at, kind=change.entity, what=moved, why=change.reason[:_MAX_REASON])
    proof = stored.proof
    if proof is not None:
        frozen_ms = 0.0 if stored.figures is None else stored.figures.frozen_ms
        still = f"the server stood still for {frozen_ms:.0f} ms" if frozen_ms else ""
        yield ReportEvent(at=proof.taken_at, kind="proof", what=f"checkpoint {proof.checkpoint} taken", why=still)
        yield ReportEvent(at=proof.signed_at, kind="proof", what=f"checkpoint {proof.checkpoint} proven equal")


def _bytes(figures: ReplicationFigures) -> ReportBytes:
    payload = sum(each.changed_bytes for each in figures.passes) or figures.changed_bytes or figures.read_bytes
    return ReportBytes(
        disk_bytes=figures.disk_bytes,
        used_bytes=figures.used_bytes,
        read_bytes=figures.read_bytes,
        changed_bytes=figures.changed_bytes,
        sent_bytes=figures.sent_bytes,
        resent_bytes=figures.resent_bytes,
        wire_bytes=figures.wire_bytes,
        compression=round(payload / figures.sent_bytes, 2) if figures.sent_bytes and payload else None,
        frozen_ms=figures.frozen_ms,
        tracking=figures.tracking,
        passes=list(figures.passes),
    )


def _proof(proof: Proof, *, holds: bool) -> ReportProof:
    return ReportProof(
        checkpoint=proof.checkpoint,
        taken_at=proof.taken_at,
        signed_at=proof.signed_at,
        key_id=proof.key_id,
        signature_valid=holds,
        disks=[ProvenDisk(name=disk.name, size=disk.size, root=disk.root) for disk in proof.disks],
    )


def _rehearsal(order: OrderRow, result: RehearsalRow) -> ReportRehearsal:
    document = result.document
    return ReportRehearsal(
        id=order.id,
        kind=order.kind,
        verdict=result.verdict,
        finished_at=result.finished_at,
        checkpoint=order.checkpoint,
        seconds=document.get("seconds", 0.0),
        stages=convert(document.get("stages", ()), list[RehearsalStage]),
        failed_units=list(document.get("failed_units", ())),
        new_failed_units=document.get("new_failed_units"),
        checks=convert(document.get("checks", ()), list[RehearsedCheck]),
    )


def _folder(found: Mapping[str, Any]) -> ReportConsistency:
    return ReportConsistency(
        folder=found.get("dir_check") or "",
        files=found.get("num_total_files") or 0,
        different=found.get("num_different_files") or 0,
        missing=found.get("num_target_miss_files") or 0,
        extra=found.get("num_target_more_files") or 0,
    )


def _errors(stored: Stored) -> Iterator[ReportError]:
    task = stored.task
    if task.error_code:
        told = explain(task.error_code, task.error_params)
        yield ReportError(of="task", at=task.finish_date, **told._asdict())
    if stored.landing.error:
        yield _error("landing", stored.landing.error, stored.landing.changed_at)
    for _, result in stored.rehearsals:
        if result is not None and result.document.get("error"):
            yield _error("rehearsal", result.document["error"], result.finished_at)


def _error(of: str, error: Mapping[str, Any], at: int) -> ReportError:
    texts = {name: error.get(name) or "" for name in ("code", "message", "cause", "fix")}
    return ReportError(of=of, at=at, **texts)
