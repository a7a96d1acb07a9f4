"""How a session sends: memory, threads, connections, compression."""

import os
from dataclasses import dataclass
from typing import Final

_CORES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How a session sends.

    memory: bytes that may be in flight between disk and socket. workers: threads that read, digest and pack.
    compress: whether data are offered to zstd at all; how hard follows the bottleneck. connections: how many to open,
    if the receiver takes as many; each can keep one processor busy with encrypting.
    """

    memory: int = 64 * 1024 * 1024
    workers: int = max(3, min(8, _CORES))
    compress: bool = True
    connections: int = max(1, min(4, _CORES // 2))


DEFAULT_OPTIONS: Final = SendOptions()
