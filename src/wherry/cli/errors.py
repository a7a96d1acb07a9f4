"""What can go wrong on the command line, for people: codes 6001 to 6099."""

from wherry.errors import ExitStatus, WherryError


class AddressUnreadable(WherryError):
    """An argument isn't HOST:PORT."""

    code = "WHERRY.6001"
    template = "{text!r} is not an address."
    default_cause = "An address is a host and a port from 0 to 65535 with a colon between them."
    default_fix = "Write it like 127.0.0.1:8443, host.example:8443 or [::1]:8443."
    exit_status = ExitStatus.USAGE


class FileUnreadable(WherryError):
    """A file that was named can't be read, or isn't what it should be."""

    code = "WHERRY.6002"
    template = "{path} can't be read as {what}: {reason}."
    default_cause = "The file is missing, you may not read it, or it holds something else."
    default_fix = "Name the right file, or run the command as the user who may read it."
    exit_status = ExitStatus.USAGE


class FileUnwritable(WherryError):
    """The file that was asked for can't be written."""

    code = "WHERRY.6003"
    template = "{path} can't be written: {reason}."
    default_cause = "The folder is missing, is full, or you may not write there."
    default_fix = "Name another place with --output."


class DiskUnnamed(WherryError):
    """The proof speaks of more or fewer disks than were named."""

    code = "WHERRY.6004"
    template = "The proof holds {expected} disk(s), {given} were named."
    default_cause = "Every disk of the proof has to be named, in the order of the proof."
    default_fix = "Name the disks in this order: {names}."
    exit_status = ExitStatus.USAGE


class EndOverdue(WherryError):
    """The program was told to end and didn't."""

    code = "WHERRY.6008"
    template = "The program has not ended within {limit_s:g} s of the signal; it was left where it was."
    default_cause = "A disk or the network holds it up. What it had acknowledged is safe."
    default_fix = "Look at `dmesg` and at its log; the next start goes on where it was."


class Interrupted(WherryError):
    """The person at the keyboard ended the command."""

    code = "WHERRY.6006"
    template = "Interrupted."
    default_cause = "Ctrl-C was pressed."
    default_fix = "Run the command again when you want to go on."
    exit_status = ExitStatus.INTERRUPTED


class CommandForAgentsOnly(WherryError):
    """There's a command that installs an agent, and none for the other programs."""

    code = "WHERRY.6007"
    template = "There is no command that installs a {role}."
    default_cause = "Only agents are handed out by the control plane."
    default_fix = "Make the token without --command, and start `wherry receiver` with it where Wherry is installed."
    exit_status = ExitStatus.USAGE


class TaskUnreadable(WherryError):
    """An argument isn't the id of a task."""

    code = "WHERRY.6009"
    template = "{text!r} is not the id of a task."
    default_cause = "A task's id is a UUID: 32 hexadecimal digits, with hyphens or without."
    default_fix = "Copy the id from the answer of CreateTask, or from the list of tasks."
    exit_status = 2


class MacUnreadable(WherryError):
    """An argument isn't a MAC address."""

    code = "WHERRY.6030"
    template = "{text!r} is not the MAC address of a network card."
    default_cause = (
        "A MAC address is six pairs of hexadecimal digits, with the interface's name and = before it or not."
    )
    default_fix = "Write it like 52:54:00:12:34:56 or ens3=52:54:00:12:34:56."
    exit_status = ExitStatus.USAGE


class ControlPlaneUnnamed(WherryError):
    """Nobody said which control plane is meant."""

    code = "WHERRY.6040"
    template = "It isn't said which control plane is meant."
    default_cause = "There is no profile yet, none was chosen, and neither an option nor the environment names one."
    default_fix = (
        "Make a profile with `wherry login URL --ca-file FILE` or `wherry profile add`, or name the control plane's "
        "admin.json with --admin-file."
    )
    exit_status = ExitStatus.USAGE


class ProfileUnknown(WherryError):
    """A profile was named that isn't there."""

    code = "WHERRY.6041"
    template = "There is no profile {name!r}."
    default_cause = "It was never made, was removed, or belongs to another user of this machine."
    default_fix = "See `wherry profile list`; make one with `wherry login` or `wherry profile add`."
    exit_status = ExitStatus.USAGE


class ProfileNameRefused(WherryError):
    """A profile can't be called so."""

    code = "WHERRY.6042"
    template = "{name!r} can't be the name of a profile."
    default_cause = "A profile is a folder of its own, so its name has to be one."
    default_fix = "Use up to 64 letters, digits, dots, dashes and underscores, a letter or a digit first."
    exit_status = ExitStatus.USAGE


class SecretUnread(WherryError):
    """A secret is needed, and nobody is there to be asked for it."""

    code = "WHERRY.6043"
    template = "The {what} can't be read: {reason}."
    default_cause = "Secrets are never arguments: they're asked for at the terminal, or come from a file or a pipe."
    default_fix = "Run the command at a terminal, name a file with {option} FILE, or pipe it in with {option} -."
    exit_status = ExitStatus.USAGE

    def __init__(self, *, what: str, reason: str, option: str) -> None:
        super().__init__(fix=self.default_fix.format(option=option), what=what, reason=reason)


class ConfirmationMissing(WherryError):
    """Something is to be deleted, and nobody has confirmed it."""

    code = "WHERRY.6044"
    template = "{what} was not confirmed; nothing was done."
    default_cause = "What can't be undone has to be confirmed."
    default_fix = "Answer y at the terminal, or give --yes."
    exit_status = ExitStatus.USAGE


class NothingNamed(WherryError):
    """A word on the command line names nothing that exists."""

    code = "WHERRY.6045"
    template = "No {kind} is called {word!r}."
    default_cause = (
        "It was deleted, never existed, or isn't shown to you; words are ids, names, or patterns like 'web-*'."
    )
    default_fix = "See `wherry {kind} list`."
    exit_status = ExitStatus.REFUSED

    def __init__(self, *, kind: str, word: str) -> None:
        super().__init__(fix=self.default_fix.format(kind=kind), kind=kind, word=word)


class NameAmbiguous(WherryError):
    """A name on the command line is that of several things."""

    code = "WHERRY.6046"
    template = "{count} of the kind {kind} are called {word!r}."
    default_cause = "Names needn't be unique; ids are."
    default_fix = "Write the id of the one that you mean, or a pattern if you mean all of them."
    exit_status = ExitStatus.USAGE


class EnvironmentIncomplete(WherryError):
    """The environment names a control plane and leaves out with what to call it."""

    code = "WHERRY.6047"
    template = "WHERRY_ENDPOINT is set and {missing} is not."
    default_cause = "By environment variables a control plane is named by its endpoint, an access key and its secret."
    default_fix = "Set WHERRY_ENDPOINT, WHERRY_ACCESS_KEY and WHERRY_SECRET_KEY together, or none of them."
    exit_status = ExitStatus.USAGE


class OptionsExclude(WherryError):
    """Two options were given of which one makes no sense beside the other."""

    code = "WHERRY.6048"
    template = "{first} and {second} can't be given together."
    default_cause = "Each of them says the same thing in another way."
    default_fix = "Leave one of them out."
    exit_status = ExitStatus.USAGE


class ValueUnreadable(WherryError):
    """An argument isn't written as it has to be."""

    code = "WHERRY.6049"
    template = "{text!r} is not {what}."
    default_cause = "It's written in another way than the command understands."
    default_fix = "Write it like {example}."
    exit_status = ExitStatus.USAGE

    def __init__(self, *, text: str, what: str, example: str) -> None:
        super().__init__(fix=self.default_fix.format(example=example), text=text, what=what)


class OptionMissing(WherryError):
    """One of several options has to be given."""

    code = "WHERRY.6050"
    template = "{options} has to be given."
    default_cause = "Without it the command doesn't know what it's for."
    default_fix = "Give it; --help tells what it means."
    exit_status = ExitStatus.USAGE


class TaskFailed(WherryError):
    """The task that was followed has failed."""

    code = "WHERRY.6051"
    template = "The task {name} has failed: {reason}."
    default_cause = "Its agent or its receiver gave it up; the control plane was told no more."
    default_fix = "See `wherry task events` and the logs of agent and receiver; `wherry task start` goes on with it."


class TaskStopped(WherryError):
    """The task that was followed was stopped."""

    code = "WHERRY.6052"
    template = "The task {name} was stopped."
    default_cause = "A user stopped it, or it was stopped for its speed."
    default_fix = "`wherry task events` tells by whom; `wherry task start` goes on with it."
