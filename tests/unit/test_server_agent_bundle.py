"""The agent's bundle at the control plane: refused at the start where it can't be one, measured once."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from wherry.server.agent_bundle import AgentBundle
from wherry.server.errors import AgentBundleUnusable


async def every_piece(bundle: AgentBundle) -> list[bytes]:
    return [piece async for piece in bundle.pieces()]


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF"])
def test_what_is_no_bundle_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "agent"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AgentBundleUnusable, match="agent"), AgentBundle.open(path):
        pass


def test_its_pieces_are_the_file(tmp_path: Path) -> None:
    content = b"#!/bin/sh\n" + bytes(range(256)) * 3000
    path = tmp_path / "agent"
    path.write_bytes(content)
    with AgentBundle.open(path) as bundle:
        pieces = asyncio.run(every_piece(bundle))
        assert (bundle.size, bundle.digest) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(pieces) > 1
    assert b"".join(pieces) == content
