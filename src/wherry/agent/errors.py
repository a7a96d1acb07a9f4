"""What can go wrong on the source, for people: codes 4001 to 4099."""

from wherry.contract.landing import Landing
from wherry.errors import WherryError


class NoDisk(WherryError):
    """There is no disk to move."""

    code = "WHERRY.4003"
    template = "There is no disk to move: {reason}."
    default_cause = "The inventory found no whole disk with a readable size, --disk names none, or all were left out."
    default_fix = "Name the disk with --disk, run the agent as root, and leave at least one disk to be migrated."


class DiskMissing(WherryError):
    """A disk that the task has begun to move isn't there any more."""

    code = "WHERRY.4012"
    template = "The disk {name!r} of the task isn't there any more, or is left out now."
    default_cause = (
        "It was detached, its name has changed, --disk doesn't name it, or it was left out of the migration."
    )
    default_fix = "Bring it back and start the task again; or delete the task and create it anew without the disk."


class DisksChanged(WherryError):
    """A disk has another size than when the work on the task began: all begins anew with the disks as they are."""

    code = "WHERRY.4013"
    template = "The disk {name!r} has {now} bytes now; it had {before}."
    default_cause = "It was enlarged while the task ran."
    default_fix = "Nothing to do: the disks are looked at again, and the work goes on with all that was copied."


class TargetOutgrown(WherryError):
    """The target can't hold the source's disks as they are now. Its code is that of the SMS reference."""

    template = "{reason}"
    default_cause = (
        "Disks of the source were added or enlarged since the task was created, and the target can't follow."
    )
    default_fix = "Give the target disks at least as large as the source's, then start the task again."

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)
        self.code = "SMS.0515"


class FreezeExpired(WherryError):
    """No try of the last pass fitted into the time that the server may be frozen."""

    code = "WHERRY.4004"
    template = "The last pass did not fit into {limit_s:g} s of frozen time in {attempts} tries."
    default_cause = "The server writes more than can be copied in that time, or reading the disks takes longer."
    default_fix = "Quieten what writes, or start the agent with a longer --max-freeze; the task goes on where it is."


class FreezeForecast(WherryError):
    """The last pass would take longer than the server may be frozen, so that it isn't even tried."""

    code = "WHERRY.4009"
    template = "The server would be frozen for {seconds:.1f} s; it may be for {limit_s:g} s only."
    default_cause = "The server writes much, or its changes can't be tracked, so that all that is in use is read."
    default_fix = (
        "Quieten what writes, or start the agent with a longer --max-freeze; the task goes on where it is. Where "
        "changes aren't tracked, `wherry agent doctor` tells why; large disks that hold no data can be left out."
    )


class TrackingDoubtful(WherryError):
    """The changes of a disk can't be trusted when they're needed, and it's never frozen for a digest scan."""

    code = "WHERRY.4011"
    template = "The changes of the disks were tracked, but could not be trusted in {attempts} tries: {reason}."
    default_cause = "Events were lost, or something writes to a disk past its filesystems."
    default_fix = "Quieten what writes; `wherry agent doctor` tells more about the tracking."


class HookFailed(WherryError):
    """A command that the operator gave for the freeze refused."""

    code = "WHERRY.4005"
    template = "The command of {option} failed: {reason}."
    default_cause = "It ended with an error, or took too long. Nothing stays frozen, and no checkpoint counts."
    default_fix = (
        "Run the command by hand and mend it, or allow it more time with --hook-timeout; start the task again."
    )


class ProofRefused(WherryError):
    """Source and target don't hold the same bytes, or the proof can't be had."""

    code = "WHERRY.4006"
    template = "The proof of checkpoint {checkpoint} was refused: {reason}."
    default_cause = "The digests that the source sent and those the receiver read from its medium differ."
    default_fix = "Start the task again: the next pass compares every granule; look at the receiver's medium."


class LandingFailed(WherryError):
    """What landed doesn't boot, or its target couldn't be launched. Code, cause and fix are the receiver's."""

    code = "WHERRY.4014"
    template = "{reason}"
    default_cause = "The receiver said no more."
    default_fix = "Look at the landing and its rehearsal by GET /wherry/v1/tasks/{task_id}/landing."

    def __init__(self, landing: Landing) -> None:
        error = landing.error
        if error is None:
            super().__init__(reason=f"The landing of checkpoint {landing.checkpoint} has ended: {landing.state}.")
            return
        super().__init__(reason=error.message, cause=error.cause or None, fix=error.fix or None)
        self.code = error.code


class StopTimedOut(WherryError):
    """The work on a task didn't end when it was told to."""

    code = "WHERRY.4007"
    template = "The work on the task {task_id} has not ended within {timeout_s:g} s."
    default_cause = "A disk or the network holds it up."
    default_fix = "Nothing to do: the stop is tried again. Look at `dmesg` when it lasts."


class RecordGone(WherryError):
    """The control plane no longer knows this source."""

    code = "WHERRY.4008"
    template = "The control plane has no record of this server any more: {reason}"
    default_cause = "Somebody deleted the source server there. Nothing on this server was touched."
    default_fix = "Start the agent again to register the server anew."


class CommandDeclined(WherryError):
    """A command was polled that this agent can't carry out."""

    code = "WHERRY.4010"
    template = "{reason}"
    default_cause = "The control plane asks for what this version of the agent doesn't do, or says too little."
    default_fix = "Use the same version of agent and control plane."


class WorkerFailed(WherryError):
    """The work on a task ended by an error that nobody foresaw."""

    code = "WHERRY.4099"
    template = "The work on the task failed: {reason}."
    default_cause = "A fault of the agent; its log holds the traceback."
    default_fix = "Start the task again; report the traceback if it comes again."
