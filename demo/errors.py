"""What can go wrong in the demonstration, with cause and fix."""

from wherry.errors import WherryError


class DemoRefused(WherryError):
    """The machine can't run the demonstration as it was asked for."""

    code = "WHERRY.9101"
    template = "{reason}"
    default_cause = "Something that the demonstration stands on is missing on this machine."
    default_fix = "See the message; `make demo` installs the Debian packages that it needs."


class ServiceEnded(WherryError):
    """One of the programs under demonstration ended although nobody told it to."""

    code = "WHERRY.9102"
    template = "The {name} ended with status {status} although nobody told it to."
    default_cause = "The program stopped by itself; the end of its log, above, tells why."
    default_fix = "Read the log; it stays where it is until the next run."


class TookTooLong(WherryError):
    """The migration didn't get on in the time that it was given."""

    code = "WHERRY.9103"
    template = "{what} did not happen within {limit_s:.0f} s. {state}"
    default_cause = "A program hangs, or this machine is very slow."
    default_fix = "Read the ends of the logs above; run it again with `--small`."


class MigrationFailed(WherryError):
    """The control plane says that the task failed."""

    code = "WHERRY.9104"
    template = "The task is {state}: {reason}"
    default_cause = "Agent or receiver met an error that it could not pass."
    default_fix = "Read the ends of the logs above."


class BytesDiffer(WherryError):
    """A used byte of the copy isn't what it was on the source at the frozen point."""

    code = "WHERRY.9105"
    template = "byte {offset} of the disk differs (in the used range {start} to {end})"
    default_cause = "Blocks were lost or changed on their way; this is a defect of Wherry."
    default_fix = "Run it again with --keep and report it with the files of the run."


class ApiUnreachable(WherryError):
    """The control plane doesn't answer."""

    code = "WHERRY.9107"
    template = "{method} {path} got no answer: {reason}"
    default_cause = "`wherry serve` has ended, or hangs."
    default_fix = "Read the log of `wherry serve`."


class ApiRefused(WherryError):
    """The control plane answered a user's call with an error."""

    code = "WHERRY.9106"
    template = "{method} {path} was answered with {status}: {body}"
    default_cause = "The answer's error_code and error_msg tell it."
    default_fix = "Read the log of `wherry serve`."
