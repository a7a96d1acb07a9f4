"""`python -m demo`: move a live disk from start to proof and show it."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from demo import screen
from demo.errors import ApiUnreachable, DemoRefused, ServiceEnded
from demo.scenario import Options, Scenario
from demo.services import ROOT
from demo.story import Story
from demo.summary import Summary
from demo.workplace import workplace
from wherry.errors import WherryError

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
FOR_ALL = ("cmp", "debugfs", "dumpe2fs", "e2fsck", "mkfs.ext4", "setpriv", "sfdisk", "tar")
FOR_ROOT = ("diff", "find", "fsfreeze", "losetup", "mkfs.xfs", "mount", "partx", "umount", "xfs_db", "xfs_repair")


class Interrupted(BaseException):
    """A signal told us to end. Not an Exception: nothing on the way may take it for a failure and go on."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.strsignal(number))


def parse(arguments: Sequence[str]) -> Options:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="demo", description="Move a live disk from start to proof.")
    parser.add_argument("--small", action="store_true", help="small disks, for tests and slow machines")
    parser.add_argument("--chaos", action="store_true", help="kill -9 the agent in pass 0 and the receiver in pass 1")
    parser.add_argument("--stay", action="store_true", help="leave the programs running until Ctrl-C")
    parser.add_argument("--keep", action="store_true", help="leave the files of the run in place until the next run")
    parser.add_argument("--dir", type=Path, default=ROOT / ".demo", help="where to work (%(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save the last picture as SVG")
    chosen = parser.parse_args(arguments)
    return Options(
        directory=chosen.dir,
        small=chosen.small,
        chaos=chosen.chaos,
        stay=chosen.stay,
        keep=chosen.keep,
        picture=chosen.picture,
    )


def require_programs() -> None:
    """Find the system's tools for plain users too. Raises DemoRefused when one is missing."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    wanted = FOR_ALL + (FOR_ROOT if os.geteuid() == 0 else ())
    missing = [program for program in wanted if shutil.which(program) is None]
    if missing:
        raise DemoRefused(
            reason=f"Not installed: {', '.join(missing)}.", fix="Run `make demo` as root once, it installs them."
        )


def obey_signals() -> None:
    """Turn the signals that end a program into Interrupted, once; what follows is tidying up."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise Interrupted(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """Let nothing disturb the tidying up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def run_demo(options: Options, console: Console) -> bool:
    """Play the scenario and tidy up; return whether the copy is equal."""
    with workplace(options.directory, keep=options.keep) as work, contextlib.ExitStack() as stack:
        scenario = Scenario(options, work, stack, Story())
        try:
            summary = play(scenario, console)
            if options.stay:
                stay(scenario, console)
        finally:
            ignore_signals()
    return summary.equal


def play(scenario: Scenario, console: Console) -> Summary:
    """Play the scenario on the screen, then show the closing table."""
    story = scenario.story
    try:
        with screen.telling(story, console):
            try:
                summary = scenario.play()
            except ApiUnreachable:
                # Most likely because a program has ended: that's the better news.
                story.end(well=False)
                scenario.require_alive(grace_s=1.0)
                raise
            except BaseException:
                story.end(well=False)
                raise
            story.end(well=summary.equal)
    except WherryError as error:
        show_logs(scenario, error, console)
        raise
    screen.print_closing(summary, console)
    if scenario.options.picture is not None:
        screen.save_picture(story, summary, scenario.options.picture)
    return summary


def show_logs(scenario: Scenario, error: WherryError, console: Console) -> None:
    """Print what the programs said last: the one that ended, where *error* says that one did, else all."""
    ended = error.details.get("name") if isinstance(error, ServiceEnded) else None
    for program in scenario.programs:
        if ended in {None, program.name} and (tail := program.tail()):
            console.print(f"--- the end of {program.log}\n{tail}\n", markup=False, highlight=False, soft_wrap=True)


def stay(scenario: Scenario, console: Console) -> None:
    """Leave everything running until a signal comes."""
    if scenario.admin is None:
        return
    lines = [
        f"The programs stay up: {scenario.admin.endpoint}",
        f"Credentials: {scenario.work / 'server' / 'admin.json'}; certificate of the CA: {scenario.admin.ca_file}",
        f"Logs: {scenario.work / 'logs'}; proof: {scenario.work / 'proof.json'}",
        "Ctrl-C ends them and removes all of it.",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    with contextlib.suppress(Interrupted):
        threading.Event().wait()


def main() -> int:
    """Return the exit status: 0 equal, 1 not equal or failed, 128 + signal when interrupted."""
    options = parse(sys.argv[1:])
    console = Console()
    obey_signals()
    try:
        require_programs()
        return 0 if run_demo(options, console) else 1
    except WherryError as error:
        console.print(error.explain(), markup=False, highlight=False, soft_wrap=True)
        return 1
    except Interrupted as interrupted:
        console.print(f"Ended by {interrupted}; everything is cleaned up.", markup=False, highlight=False)
        return 128 + interrupted.number


if __name__ == "__main__":
    sys.exit(main())
