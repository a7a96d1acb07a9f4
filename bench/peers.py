"""The peers: qemu-img and nbdcopy to qemu-nbd over TLS, and rsync --inplace.

Each copies the source image onto the target image once, over loopback where it has a wire, and ends both of its sides.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wherry.iam.certificates import Authority
from wherry.process import run

LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied: *source* onto *target*, images of one size; *keys* holds the X.509 files of NBD's TLS."""

    source: Path
    target: Path
    keys: Path


def write_keys(directory: Path) -> None:
    """Write the certificates of CA and server under the names that QEMU and libnbd look for."""
    directory.mkdir()
    authority = Authority.create("Wherry bench")
    issued = authority.issue_server(["localhost", "127.0.0.1"])
    (directory / "ca-cert.pem").write_text(authority.certificate_pem)
    (directory / "server-cert.pem").write_text(issued.certificate)
    (directory / "server-key.pem").write_text(issued.private_key)


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nbd_server(copy: Copy) -> Iterator[int]:
    """Serve the target image by qemu-nbd over TLS; yield its port."""
    port = free_port()
    server = subprocess.Popen(
        [
            "qemu-nbd", "--object", f"tls-creds-x509,id=tls,endpoint=server,verify-peer=no,dir={copy.keys}",
            "--tls-creds", "tls", "-f", "raw", "-b", "127.0.0.1", "-p", str(port), "-x", "disk", str(copy.target),
        ]
    )  # fmt: skip
    try:
        _wait_for(port)
        yield port
        # qemu-nbd ends with its last client; what it wrote must be in the image then.
        server.wait(timeout=LIMIT_S)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    # Reading the kernel's table instead of connecting: qemu-nbd serves its first client only.
    while f"{port:04X}" not in {line.split()[1].partition(":")[2] for line in _listeners()}:
        if time.monotonic() > deadline:
            raise TimeoutError(port)
        time.sleep(0.01)


def _listeners() -> list[str]:
    return [line for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]


@dataclass(frozen=True, slots=True)
class QemuImg:
    """qemu-img convert to qemu-nbd."""

    copy: Copy
    name: str = "qemu-img, TLS"

    def run(self) -> None:
        """Copy the image once."""
        with nbd_server(self.copy) as port:
            target = f"driver=nbd,host=localhost,port={port},export=disk,tls-creds=tls"
            keys = f"tls-creds-x509,id=tls,endpoint=client,dir={self.copy.keys}"
            source = str(self.copy.source)
            run(
                ["qemu-img", "convert", "-n", "-f", "raw", "--object", keys, "--target-image-opts", source, target],
                timeout_s=LIMIT_S,
            )


@dataclass(frozen=True, slots=True)
class NbdCopy:
    """nbdcopy to qemu-nbd."""

    copy: Copy
    name: str = "nbdcopy, TLS"

    def run(self) -> None:
        """Copy the image once."""
        with nbd_server(self.copy) as port:
            address = f"nbds://localhost:{port}/disk?tls-certificates={self.copy.keys}"
            run(["nbdcopy", "--flush", str(self.copy.source), address], timeout_s=LIMIT_S)


@dataclass(frozen=True, slots=True)
class RsyncInPlace:
    """rsync of the image by its rolling digests, in clear: the shell that it would reach a host with starts it here."""

    copy: Copy
    name: str = "rsync --inplace, no TLS"

    def run(self) -> None:
        """Copy the image once."""
        shell = "sh -c 'shift; exec \"$@\"' shell"
        source, target = str(self.copy.source), f"here:{self.copy.target}"
        run(["rsync", "--inplace", "--no-whole-file", "-I", "-e", shell, source, target], timeout_s=LIMIT_S)
