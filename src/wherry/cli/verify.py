"""`wherry verify`: checks a proof against disks, without any of the programs that made it."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wherry.cli.errors import DiskUnnamed, FileUnreadable
from wherry.contract.wherry import Proof
from wherry.replication.verification import Verdict
from wherry.replication.verification import verify as verify_proof

PIPE_WIDTH = 1000
"""Width of the output, in characters, where it's no terminal."""


def verify(
    proof: Path,
    disks: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    ca_file: Path | None = None,
) -> int:
    """Check that disks or images hold exactly what a signed proof says.

    Parameters
    ----------
    proof:
        JSON file of the proof, as GET /wherry/v1/tasks/ID/proof returns it.
    disks:
        Block devices or image files, in the order of the proof's disks.
    ca_file:
        PEM file of the control plane's CA. Without it nobody vouches for who signed the proof.
    """
    document = read_proof(proof)
    if len(disks) != len(document.disks):
        names = ", ".join(line.name for line in document.disks)
        raise DiskUnnamed(expected=len(document.disks), given=len(disks), fix=f"Name the disks in this order: {names}.")
    authority = None if ca_file is None else _read_text(ca_file, "a CA certificate")
    paths = {line.index: path for line, path in zip(document.disks, disks, strict=True)}
    verdict = verify_proof(document, paths, authority)
    show(document, verdict)
    return 0 if verdict.equal else 1


def read_proof(path: Path) -> Proof:
    """Return the proof in a file. Raises FileUnreadable."""
    try:
        return msgspec.json.decode(_read_text(path, "a proof"), type=Proof)
    except msgspec.MsgspecError as error:
        raise FileUnreadable(path=path, what="a proof", reason=str(error)) from error


def _read_text(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(path=path, what=what, reason=str(error)) from error


def show(proof: Proof, verdict: Verdict) -> None:
    """Print what was found as a table; nothing is cut off where the output isn't a terminal."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(f"proof of {proof.source_name}, task {proof.task_id}, checkpoint {proof.checkpoint}", markup=False)
    known = "signed by this CA's control plane" if verdict.trusted else "signer unknown (name the CA with --ca-file)"
    console.print(f"signature right, {known}")
    table = Table(box=None, pad_edge=False)
    for heading, numeric in (("disk", False), ("size", True), ("proven", True), ("equal", False)):
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    table.add_column("file", overflow="fold")
    for line, found in zip(proof.disks, verdict.disks, strict=True):
        proven = min(line.size, sum(count for _, count in line.covered) * line.granule_size)
        row = (line.name, f"{line.size:,}", f"{proven:,}", "yes" if found.equal else "NO", str(found.path))
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    for found in verdict.disks:
        if not found.equal:
            console.print(f"{found.name}: {found.reason}", markup=False)
    console.print(f"equal: {'yes' if verdict.equal else 'no'}")
