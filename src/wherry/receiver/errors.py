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


class ConversionRoomMissing(WherryError):
    """There's no room for a qcow2 beside the raw images that it's made of."""

    code = "WHERRY.3007"
    template = "{path} isn't converted: it may take {needed} bytes, and {free} are free."
    default_cause = "The images folder is nearly full; the replicas need what is left."
    default_fix = "Make room under the images folder; the receiver tries again every half hour and at its start."
