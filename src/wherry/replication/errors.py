"""The errors of replication: what broke between agent and receiver, or in the replica's storage."""

import errno
import os
from pathlib import Path

from wherry.errors import WherryError


class ConnectionLost(WherryError):
    """The connection ended, or the other side fell silent. A new session goes on where this one stopped."""

    code = "WHERRY.2001"
    template = "The connection to the other side was lost: {reason}."
    default_cause = "The network, or the program at the other end, broke off."
    default_fix = "Nothing is lost; the agent connects again by itself. If it lasts, check network and firewall."


class ProtocolViolated(WherryError):
    """The peer sent something that the protocol doesn't allow; the connection is of no use any more."""

    code = "WHERRY.2002"
    template = "The other side broke the replication protocol: {reason}."
    default_cause = "Data was damaged on the way, the versions don't fit, or the other side is hostile."
    default_fix = "Check that agent and receiver have the same version; the session is tried again by itself."


class PeerRefused(WherryError):
    """The peer ended the session with an ERROR frame; code, message, cause and fix are the peer's own."""

    template = "{text}"

    def __init__(self, code: str, message: str, cause: str, fix: str) -> None:
        super().__init__(cause=cause, fix=fix, text=message)
        self.code = code


class IdentityRefused(WherryError):
    """TLS failed: the peer has no certificate, a wrong one, or one of another task."""

    code = "WHERRY.2003"
    template = "The other side could not prove who it is: {reason}."
    default_cause = "Its certificate is missing, of another task, or not signed by the CA of this control plane."
    default_fix = "Check that both sides joined the same control plane."


class SourceReadFailed(WherryError):
    """A disk of the source couldn't be read."""

    code = "WHERRY.2010"
    template = "Reading disk {name!r} at byte {offset} failed: {reason}."
    default_cause = "The disk has a bad sector, or was detached."
    default_fix = "Look at `dmesg` and the disk's SMART values on the source; start the task again when it can be read."


class PassIncomplete(WherryError):
    """A commit was asked for before the pass was sent as a whole."""

    code = "WHERRY.2011"
    template = "Pass {number} was not sent completely and can't be committed."
    default_cause = "The pass was stopped, or never run in this session."
    default_fix = "Run the pass again; what has arrived already isn't sent twice."


class SourceStateFailed(WherryError):
    """A file in the agent's state folder can't be read or written."""

    code = "WHERRY.2012"
    template = "The agent's note {path} can't be kept: {reason}."
    default_cause = "The file system of the agent's state folder is full, read-only, or has I/O errors."
    default_fix = "Free space there (16 bytes for each 64 KiB of the disks are needed), or name another --state folder."


class ScheduleRefused(WherryError):
    """Windows of a speed limit that make no sense."""

    code = "WHERRY.2014"
    template = "The speed limit {text!r} can't be followed."
    default_cause = "A time isn't H:MM up to 24:00, a window has no length, a rate is negative, or there are too many."
    default_fix = "Set at most five windows by the speed-limit API, such as 8:00 to 18:00 with 100 Mbit/s."


class NeverRead(WherryError):
    """The source was asked to vouch for what it didn't read itself."""

    code = "WHERRY.2013"
    template = "Disk {name!r} has {count} granules that were to be proven, but that the source hasn't read."
    default_cause = "The list of what the checkpoint covers isn't that of the last pass."
    default_fix = "Run a pass that reads everything in use, then take the checkpoint again."


class SnapshotRefused(WherryError):
    """The file system of the images can't share blocks between files."""

    code = "WHERRY.2026"
    template = "No snapshot of {path} could be made: {reason}."
    default_cause = "The file system knows no reflinks (ext4), or the replica is a device."
    default_fix = "Nothing, if the newest checkpoint is enough. Else put the images on xfs or btrfs."


class ReplicaBusy(WherryError):
    """Another process or session holds the replica."""

    code = "WHERRY.2020"
    template = "The replica in {directory} is in use: {reason}."
    default_cause = "A second receiver runs on the same state directory, or an earlier session hasn't ended yet."
    default_fix = "Stop the other receiver; an earlier session of the same task ends by itself within seconds."


class ReplicaDamaged(WherryError):
    """The replica's own files contradict each other."""

    code = "WHERRY.2021"
    template = "The replica in {directory} is damaged: {reason}."
    default_cause = "A file of the replica was changed or removed by hand, or its medium lost what it had confirmed."
    default_fix = "Check the receiver's disk; delete the task with its replica and migrate again."


class DisksDiffer(WherryError):
    """A disk of the replica isn't among those that the source announced, or was larger."""

    code = "WHERRY.2022"
    template = "The disks of the source don't fit the replica: {reason}."
    default_cause = "A disk was removed or made smaller since the task was started."
    default_fix = (
        "Bring the disk back; or delete the task and create it anew, so that the receiver makes fitting disks."
    )


class TargetTooSmall(WherryError):
    """The place of a disk can't hold it."""

    code = "WHERRY.2027"
    template = "The target can't hold the source's disks: {reason}."
    default_cause = "A disk of the source is larger than the one at the target that it goes to."
    default_fix = "Give the target disks at least as large as the source's, and start the task again."


class StorageFailed(WherryError):
    """The receiver's storage refused a read or a write. What was acknowledged is kept."""

    code = "WHERRY.2023"
    template = "The receiver's storage failed at {path}: {reason}."
    default_cause = "The medium or its file system reports errors."
    default_fix = "Look at `dmesg` on the receiver and repair the storage; the migration goes on where it stopped."

    @classmethod
    def of(cls, path: Path, error: OSError) -> "StorageFailed":
        """Return the error that fits *error*: `StorageFull` when there was no room, `DiskInUse` when others have it."""
        kind = cls
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            kind = StorageFull
        elif error.errno == errno.EBUSY:
            kind = DiskInUse
        return kind(path=path, reason=os.strerror(error.errno or errno.EIO))


class StorageFull(StorageFailed):
    """The receiver has no room for what arrives. What was acknowledged is kept."""

    code = "WHERRY.2024"
    template = "The receiver's disk is full at {path}: {reason}."
    default_cause = "The images and the redo log need more room than the file system has."
    default_fix = "Free space or enlarge the file system on the receiver; the migration goes on where it stopped."


class DiskInUse(StorageFailed):
    """A disk that is to be written is in use on the receiver's host: two who write it would ruin it."""

    code = "WHERRY.2031"
    template = "{path} is in use on this machine: {reason}."
    default_cause = "A filesystem or swap on it is mounted, or LVM, md, LUKS or another program holds it."
    default_fix = "Unmount what is on it (`lsblk` shows what), deactivate its volume groups and arrays; then try again."


class AdoptionRefused(WherryError):
    """The disks can't be adopted for the task."""

    code = "WHERRY.2032"
    template = "The disks can't be adopted in {directory}: {reason}."
    default_cause = "The task has a replica already, which isn't made of these disks in this order."
    default_fix = "Name the disks that it was made of; or name another task, or remove the folder if it isn't needed."


class DiskExchanged(WherryError):
    """What is called like an adopted disk is another one, which must not be written."""

    code = "WHERRY.2033"
    template = "{path} isn't the disk that was adopted: next to nothing on it is what was read then."
    default_cause = "A reboot has given the disks other names, or another disk was attached in its place."
    default_fix = (
        "Attach the right disk under this name. To adopt by names that stay, remove the task's folder at the receiver, "
        "which leaves the disks alone, and adopt /dev/disk/by-id/... anew. Nothing was written."
    )


class PatchesUnfit(WherryError):
    """A pass was to be committed although patches of it don't lead to what the source has. Nothing is lost."""

    code = "WHERRY.2028"
    template = "Pass {number} can't be committed: {count} granules that were patched aren't what the source has."
    default_cause = (
        "They were written while they were read, a mark of the tracking is missing, or the receiver's medium doesn't "
        "hold what was written to it; and the agent didn't send them as a whole when it was told."
    )
    default_fix = (
        "Nothing has to be done: the agent sends them as a whole in its next session. If it comes again, check the "
        "receiver's disk, and bring agent and receiver to the same version."
    )


class CheckpointGone(WherryError):
    """A proof was asked for a checkpoint that the replica isn't at."""

    code = "WHERRY.2025"
    template = "The replica is at checkpoint {actual}, not at {wanted}."
    default_cause = "A later pass was committed, or this one never was."
    default_fix = "Ask for the proof of the newest checkpoint."


class ProofRefused(WherryError):
    """A proof's signature or form isn't what it should be."""

    code = "WHERRY.2030"
    template = "The proof can't be trusted: {reason}."
    default_cause = "It was changed after it was signed, or signed by another control plane."
    default_fix = "Fetch the proof again from the control plane, and name the CA file of that very control plane."
