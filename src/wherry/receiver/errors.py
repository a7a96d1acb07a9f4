"""What can go wrong at the target, for people: codes 3001 to 3099."""

from wherry.errors import WherryError


class ListenFailed(WherryError):
    """The data port can't be opened."""

    code = "WHERRY.3003"
    template = "The receiver can't listen on {host}:{port}: {reason}."
    default_cause = "Another program holds the port, or the address isn't one of this machine."
    default_fix = "Choose another port with --listen, or stop the other program."


class ReceiverEnding(WherryError):
    """The receiver is about to end and begins nothing new."""

    code = "WHERRY.3004"
    template = "The receiver is ending."
    default_cause = "It was told to stop, for an update perhaps."
    default_fix = "Nothing to do: the agent goes on when the receiver is back."


class MediumFailed(WherryError):
    """The medium of the replica refuses to take more."""

    code = "WHERRY.3005"
    template = "The receiver's medium failed: {reason}."
    default_cause = "The disk is full, or it reported an error."
    default_fix = "Make room or mend the medium under the images folder, then start the task again."


class TooManyConnections(WherryError):
    """A task has more connections than its share of the port."""

    code = "WHERRY.3006"
    template = "Task {task_id} has {count} connections already; others need room too."
    default_cause = "Connections of an agent that broke off haven't ended yet, or the agent is hostile."
    default_fix = (
        "Nothing to do: the agent comes again. If it lasts, let the receiver serve more with --max-connections."
    )


class ReplicaMoving(WherryError):
    """A copy is wanted of disks that go on changing, where no picture of them can be kept."""

    code = "WHERRY.3008"
    template = "The disks of task {task_id} can't be had standing still while it goes on: {reason}."
    default_cause = "The filesystem of the images knows no reflinks, and the replica changes with the next pass."
    default_fix = "Put the images on xfs or btrfs, or order it once the task has cut over or is stopped."


class NothingLanded(WherryError):
    """What is to be launched, rolled back or cleared isn't here."""

    code = "WHERRY.3009"
    template = "Nothing of task {task_id} has landed here that could be {deed}."
    default_cause = "The landing was removed by hand, or the task was landed by another receiver."
    default_fix = "Start the task again and cut over; its copy is landed anew."


class TargetRuns(WherryError):
    """A session would change the disks that a launched target runs on."""

    code = "WHERRY.3010"
    template = "The target of task {task_id} runs on the replica's own disks; they can't be changed beneath it."
    default_cause = "The images lie on a filesystem without reflinks, so that the target has no copy of its own."
    default_fix = "Roll the target back first; or put the images on xfs or btrfs, where it gets a copy of its own."


class OrderFailed(WherryError):
    """An order ended by an error that nobody foresaw."""

    code = "WHERRY.3011"
    template = "The order couldn't be carried out: {reason}."
    default_cause = "A fault of the receiver, or of the medium; the receiver's log holds the traceback."
    default_fix = "Look at the receiver's log and at the room under the images folder, then order it again."


class BootingUnconfigured(WherryError):
    """The receiver was told to boot what lands, without a way to open it."""

    code = "WHERRY.3012"
    template = "--driver qemu needs --workbench: {choices}."
    default_cause = (
        "What lands can be opened by this host's own kernel (chroot), or inside of a small machine (guestfs)."
    )
    default_fix = "Name guestfs for servers that you don't trust, chroot for your own."


class DisksUnfit(WherryError):
    """Disks that are to be adopted can't be those of the task."""

    code = "WHERRY.3020"
    template = "The disks don't fit task {task_id}: {reason}."
    default_cause = "Each disk that the task moves goes to one that was named, in the order of the source's disks."
    default_fix = "Name as many disks as the task moves, in its order, each at least as large. Nothing was changed."


class ConversionRoomMissing(WherryError):
    """There's no room for a qcow2 beside the raw images that it's made of."""

    code = "WHERRY.3007"
    template = "{path} isn't converted: it may take {needed} bytes, and {free} are free."
    default_cause = "The images folder is nearly full; the replicas need what is left."
    default_fix = "Make room under the images folder; the receiver tries again every half hour and at its start."


class NetworkUnknown(WherryError):
    """A card is wanted on a network that this receiver doesn't have."""

    code = "WHERRY.3013"
    template = "This receiver has no network {name!r} for servers; it has {known}."
    default_cause = "The task's target machine names a network that the receiver's operator didn't, or calls otherwise."
    default_fix = "Correct `networks` of the target machine, or start the receiver with --network NAME=bridge:BRIDGE."


class NetworkMisnamed(WherryError):
    """The command line names a network in a way that can't be read."""

    code = "WHERRY.3014"
    template = "--network {option!r} isn't NAME=bridge:BRIDGE or NAME=user."
    default_cause = (
        "A word is missing or too long, the name is given twice, or it's `isolated`, which has its own meaning."
    )
    default_fix = "Write --network lan=bridge:br0, once for each network; `default` is what cards get that name none."
