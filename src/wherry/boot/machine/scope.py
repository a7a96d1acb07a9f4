"""Limits on a machine's memory and processors: a scope of systemd, where that runs this host.

A scope of its own also keeps a machine out of the service that started it, so that it goes on when that is restarted.
Sources: systemd-run(1), systemd.resource-control(5).
"""

import os
import shutil
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_BOOTED_BY_SYSTEMD: Final = Path("/run/systemd/system")
_OWN_MIB: Final = 1024
"""What QEMU may need beside its guest's memory: translated code, buffers, the pages of its files."""
_OWN_PROCESSORS: Final = 1


def scope_prefix(name: str, memory_mib: int, vcpus: int) -> list[str]:
    """Return the words before a command that is to run in a scope with limits for such a machine."""
    return [
        *("systemd-run", "--scope", "--quiet", "--collect", "--slice=machine.slice", f"--description=Wherry: {name}"),
        f"--property=MemoryMax={memory_mib + _OWN_MIB}M",
        f"--property=CPUQuota={100 * (vcpus + _OWN_PROCESSORS)}%",
        "--",
    ]


def limits(name: str, memory_mib: int, vcpus: int) -> list[str]:
    """Return `scope_prefix` where there are scopes, nothing elsewhere, which is said in the log."""
    if os.geteuid() == 0 and _BOOTED_BY_SYSTEMD.is_dir() and shutil.which("systemd-run") is not None:
        return scope_prefix(name, memory_mib, vcpus)
    log.info("machine_unlimited", machine=name, reason="there's no systemd to keep its memory and processors limited")
    return []
