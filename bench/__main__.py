"""`python -m bench [copy|scale|tracking|api|agents|console] [options]`: measure Wherry; copy by default.

The results are Markdown.
"""

import argparse
import sys

from bench import agents, api, console, replication, scale, tracking

RACES = {
    "copy": (replication, "copy a disk against qemu-img, nbdcopy, rsync, dd and partclone"),
    "scale": (scale, "run small passes over a small disk and a large one"),
    "tracking": (tracking, "write with a tracker and without"),
    "api": (api, "answer requests against OpenStack Keystone and moto server"),
    "agents": (agents, "hold many agents in long poll, and measure what each costs"),
    "console": (console, "ask for pages of the console with a large fleet, and follow live ones"),
}


def main() -> None:
    """Run the race that the command line names."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    words = parser.add_subparsers(dest="race", required=True)
    for name, (race, text) in RACES.items():
        race.add_options(words.add_parser(name, help=text))
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"-h", "--help"}):
        arguments = ["copy", *arguments]
    chosen = parser.parse_args(arguments)
    RACES[chosen.race][0].main(chosen)


if __name__ == "__main__":
    main()
