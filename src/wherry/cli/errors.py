"""What can go wrong on the command line, for people: codes 6001 to 6099."""

from wherry.errors import WherryError


class AddressUnreadable(WherryError):
    """An argument isn't HOST:PORT."""

    code = "WHERRY.6001"
    template = "{text!r} is not an address."
    default_cause = "An address is a host and a port from 0 to 65535 with a colon between them."
    default_fix = "Write it like 127.0.0.1:8443, host.example:8443 or [::1]:8443."
    exit_status = 2


class FileUnreadable(WherryError):
    """A file that was named can't be read, or isn't what it should be."""

    code = "WHERRY.6002"
    template = "{path} can't be read as {what}: {reason}."
    default_cause = "The file is missing, you may not read it, or it holds something else."
    default_fix = "Name the right file, or run the command as the user who may read it."
    exit_status = 2


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
    exit_status = 2


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
    exit_status = 130


class CommandForAgentsOnly(WherryError):
    """There's a command that installs an agent, and none for the other programs."""

    code = "WHERRY.6007"
    template = "There is no command that installs a {role}."
    default_cause = "Only agents are handed out by the control plane."
    default_fix = "Make the token without --command, and start `wherry receiver` with it where Wherry is installed."
    exit_status = 2


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
    exit_status = 2
