"""What can go wrong at the target, for people: codes 3001 to 3099."""

from wherry.errors import WherryError


class TokenMissing(WherryError):
    """The receiver hasn't joined yet and has no readable token to join with."""

    code = "WHERRY.3001"
    template = "This receiver has not joined yet and {path} can't be read: {reason}."
    default_cause = "The first start needs a one-time join token; later starts use the credentials in the state folder."
    default_fix = "Make a token with `wherry join-token create --role receiver` and name its file with --token-file."


class StateUnreadable(WherryError):
    """A file of the state folder isn't what the receiver wrote."""

    code = "WHERRY.3002"
    template = "The state file {path} can't be read: {reason}."
    default_cause = "The file was changed or damaged, or it belongs to another version."
    default_fix = "Restore it, or remove it and join again with a new token."


class ListenFailed(WherryError):
    """The data port can't be opened."""

    code = "WHERRY.3003"
    template = "The receiver can't listen on {host}:{port}: {reason}."
    default_cause = "Another program holds the port, or the address isn't one of this machine."
    default_fix = "Choose another port with --listen, or stop the other program."


class TaskBusy(WherryError):
    """The replica of a task is still held by an earlier session."""

    code = "WHERRY.3004"
    template = "The replica of the task {task_id} is still in use by an earlier session."
    default_cause = "An earlier connection of the same agent hasn't ended yet."
    default_fix = "Nothing to do: the agent tries again by itself."


class MediumFailed(WherryError):
    """The medium of the replica refuses to take more."""

    code = "WHERRY.3005"
    template = "The receiver's medium failed: {reason}."
    default_cause = "The disk is full, or it reported an error."
    default_fix = "Make room or mend the medium under the images folder, then start the task again."


class ReplicaBroken(WherryError):
    """A replica can't be opened."""

    code = "WHERRY.3006"
    template = "The replica of the task {task_id} can't be opened: {reason}."
    default_cause = "Files of the replica were changed, removed or damaged."
    default_fix = "Move the task's folder away from the images folder and start the task again: it is copied anew."


class SessionFailed(WherryError):
    """A session ended by an error that nobody foresaw."""

    code = "WHERRY.3099"
    template = "The session failed: {reason}."
    default_cause = "A fault of the receiver; its log holds the traceback."
    default_fix = "The agent tries again by itself; report the traceback if it comes again."
