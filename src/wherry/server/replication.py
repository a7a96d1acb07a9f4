"""What comes of a task's replication: its figures, its history, and the proofs of equality."""

import base64
from collections.abc import Mapping, Sequence

from msgspec import convert, json, structs, to_builtins
from sqlalchemy import Connection

from wherry.contract.decoding import decode
from wherry.contract.enumerations import ProofSide
from wherry.contract.errors import ApiError
from wherry.contract.replication_history import ReplicationSample, ReplicationSamples
from wherry.contract.wherry import (
    DiskRoot,
    ForecastFigures,
    Proof,
    ProofHalf,
    ReplicationFigures,
    StateEvent,
    StateEvents,
)
from wherry.iam.proof_signatures import signed_document
from wherry.ledger import channels, replication_samples, sources, state_changes
from wherry.ledger.channels import ProofRow
from wherry.ledger.tasks import TaskRow
from wherry.ledger.transaction import Transaction
from wherry.migration import events
from wherry.migration.events import Event
from wherry.server.access import heard_of, own_scope, task_of
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call
from wherry.server.services import Services

_MAX_REASON = 1024
_TOLD_WRITERS = 5


async def update_replication(call: Call) -> Answer:
    """Keep the figures that an agent sends, as they were sent."""
    figures = call.decode(ReplicationFigures)
    sample = ReplicationSample(
        at=call.at,
        pass_number=figures.pass_number,
        wire_bytes=figures.wire_bytes,
        changed_bytes=figures.changed_bytes,
        remaining_bytes=figures.remaining_bytes,
    )

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        _tell_of_forecast(tx, task, figures.forecast, at=call.at)
        channels.put_figures(tx.connection, task.id, call.body, at=call.at)
        replication_samples.note(tx.connection, task.id, sample)
        return task.source_id

    await heard_of(call, await call.services.ledger.write(unit, own_scope(call)))
    return EMPTY


def _tell_of_forecast(tx: Transaction, task: TaskRow, forecast: ForecastFigures | None, *, at: int) -> None:
    if forecast is None or forecast.converges:
        return  # these come every few seconds: what was forecast before is looked up for bad news only
    known = channels.figures_of(tx.connection, task.id)
    before = None if known is None else decode(known, ReplicationFigures).forecast
    kind = events.of_forecast(before, forecast)
    if kind is not None:
        writers = [to_builtins(writer) for writer in forecast.writers[:_TOLD_WRITERS]]
        told = {"needed_mbit": forecast.needed_mbit, "writers": writers}
        tx.tell(Event(kind, task.source_id, task.id, data={"forecast": told}), at=at)


async def show_replication(call: Call) -> Answer:
    """Return the figures as they were sent. 404 before the first ones."""

    def read(connection: Connection) -> bytes | None:
        return channels.figures_of(connection, task_of(connection, call, call.parameters["task_id"]).id)

    figures = await call.services.ledger.read(read)
    if figures is None:
        raise ApiError("WHERRY.5510")
    return Answer(figures)


async def list_samples(call: Call) -> Answer:
    """Return how a task's replication went: samples of its counters over all of its time."""

    def read(connection: Connection) -> ReplicationSamples:
        task = task_of(connection, call, call.parameters["task_id"])
        spacing_ms, samples = replication_samples.of_task(connection, task.id)
        return ReplicationSamples(task_id=task.id, spacing_ms=spacing_ms, samples=list(samples))

    return json_answer(await call.services.ledger.read(read))


async def list_events(call: Call) -> Answer:
    """Return the history of a task's and its source's states."""

    def read(connection: Connection) -> Sequence[state_changes.StateChange]:
        return state_changes.of_task(connection, task_of(connection, call, call.parameters["task_id"]).id)

    changes = await call.services.ledger.read(read)
    events = [
        StateEvent(
            at=change.at,
            entity=change.entity,
            from_state=change.from_state,
            to_state=change.to_state,
            reason=change.reason[:_MAX_REASON],
        )
        for change in changes
    ]
    return json_answer(StateEvents(count=len(events), events=events))


async def submit_source_half(call: Call) -> Answer:
    """Keep the source's word on a checkpoint."""
    return await _submit(call, ProofSide.SOURCE)


async def submit_receiver_half(call: Call) -> Answer:
    """Keep the receiver's word on a checkpoint."""
    return await _submit(call, ProofSide.RECEIVER)


async def show_proof(call: Call) -> Answer:
    """Return the signed proof of a checkpoint. 404 while a half is missing, 409 when the halves differ."""
    checkpoint = _checkpoint(call)

    def read(connection: Connection) -> Answer:
        task = task_of(connection, call, call.parameters["task_id"])
        proof = channels.proof_of(connection, call.account_id, task.id, checkpoint)
        if proof is not None:
            return Answer(proof.document)
        halves = channels.halves_of(connection, task.id, checkpoint)
        if set(halves) != set(ProofSide):
            missing = ", ".join(sorted(set(ProofSide) - set(halves)))
            raise ApiError("WHERRY.5503", f"checkpoint {checkpoint}, missing: {missing}")
        names = _differing(*(convert(halves[side], ProofHalf) for side in (ProofSide.SOURCE, ProofSide.RECEIVER)))
        raise ApiError("WHERRY.5502", f"checkpoint {checkpoint}, disks: {', '.join(names)}", params=tuple(names))

    return await call.services.ledger.read(read)


async def show_newest_proof(call: Call) -> Answer:
    """Return the newest signed proof of a task."""

    def read(connection: Connection) -> Answer:
        task = task_of(connection, call, call.parameters["task_id"])
        proof = channels.proof_of(connection, call.account_id, task.id, None)
        if proof is None:
            raise ApiError("WHERRY.5503", "no checkpoint of the task is proven yet")
        return Answer(proof.document)

    return await call.services.ledger.read(read)


async def _submit(call: Call, side: ProofSide) -> Answer:
    half = call.decode(ProofHalf)
    checkpoint = _checkpoint(call)
    if half.checkpoint != checkpoint:
        raise ApiError("SMS.9001", "checkpoint: it is not the one of the path", params=("checkpoint",))
    if len(_by_index(half)) != len(half.disks):
        raise ApiError("SMS.9001", "disks: two of them have the same index", params=("disks",))
    document = to_builtins(half)

    def unit(tx: Transaction) -> str:
        task = task_of(tx.connection, call, call.parameters["task_id"])
        halves = channels.halves_of(tx.connection, task.id, checkpoint)
        if side in halves:
            if halves[side] != document:
                raise ApiError("WHERRY.5507", f"checkpoint {checkpoint}, side {side}")
            return task.source_id  # the same word again: a repeated request
        channels.put_half(tx.connection, task.id, checkpoint, side, document, at=call.at)
        other = next((halves[name] for name in halves), None)
        if other is not None:
            _prove(tx, call, task, {side: half, _other(side): convert(other, ProofHalf)})
        call.record(tx, task.id, f"checkpoint {checkpoint}, {side}")
        return task.source_id

    source_id = await call.services.ledger.write(unit)
    if side is ProofSide.SOURCE:
        await heard_of(call, source_id)
    return EMPTY


def _prove(tx: Transaction, call: Call, task: TaskRow, halves: Mapping[ProofSide, ProofHalf]) -> None:
    """Sign the checkpoint when both sides say the same of it."""
    source_half = halves[ProofSide.SOURCE]
    if _differing(source_half, halves[ProofSide.RECEIVER]):
        return
    source = sources.find(tx.connection, call.account_id, task.source_id)
    proof = Proof(
        task_id=task.id,
        source_id=task.source_id,
        source_name="" if source is None else source.name,
        checkpoint=source_half.checkpoint,
        taken_at=source_half.taken_at,
        disks=source_half.disks,
        signed_at=call.at,
        key_id=call.services.proofs.key_id,
        certificate=call.services.proofs.certificate_pem,
        signature="",
    )
    document = json.encode(_signed(call.services, proof))
    row = ProofRow(task.id, proof.checkpoint, call.account_id, task.source_id, call.at, document)
    channels.insert_proof(tx.connection, row)


def _signed(services: Services, proof: Proof) -> Proof:
    """Return *proof* with the signature over its canonical JSON, which is sorted and has no signature in it."""
    signature = services.proofs.sign(signed_document(proof))
    return structs.replace(proof, signature=base64.b64encode(signature).decode("ascii"))


def _differing(one: ProofHalf, other: ProofHalf) -> list[str]:
    """Return the names of the disks on which the two sides don't agree."""
    ours, theirs = _by_index(one), _by_index(other)
    return [
        (ours.get(index) or theirs[index]).name or str(index)
        for index in sorted(ours.keys() | theirs.keys())
        if _claim(ours.get(index)) != _claim(theirs.get(index))
    ]


def _by_index(half: ProofHalf) -> dict[int, DiskRoot]:
    return {disk.index: disk for disk in half.disks}


def _claim(disk: DiskRoot | None) -> object:
    """Return what both sides must say alike. The name isn't in it: the receiver may call the disk otherwise."""
    return None if disk is None else (disk.size, disk.granule_size, disk.covered, disk.root)


def _other(side: ProofSide) -> ProofSide:
    return ProofSide.RECEIVER if side is ProofSide.SOURCE else ProofSide.SOURCE


def _checkpoint(call: Call) -> int:
    text = call.parameters["checkpoint"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ApiError("SMS.9001", "checkpoint: it is not a number", params=("checkpoint",))
    return int(text)
