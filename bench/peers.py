"""The peers that copy a disk as a whole: over NBD with TLS, through a compressor, by rolling digests.

Each reads the source's device, copies over loopback, ends both of its sides, and has the copy on the medium when it's
done, as Wherry has.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.image import SourceDisk
from bench.loopback import connected, free_port
from bench.processes import tree
from demo.mounting import attached, mounted
from wherry.process import run

LIMIT_S = 900.0


class _Peer:
    """What peers share: the *source*, a target image below *folder*, which also holds the X.509 files of NBD's TLS."""

    name = ""

    def __init__(self, source: SourceDisk, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self.target = folder / f"{type(self).__name__}.raw"

    def empty(self) -> None:
        """Take the copy away, so that everything has to be copied."""
        self.target.unlink(missing_ok=True)
        with self.target.open("wb") as file:
            file.truncate(self.source.size)

    def run(self) -> None:
        """Copy once."""
        raise NotImplementedError

    def verify(self) -> None:
        """Compare copy and source. Raises ProgramFailed where they differ."""
        run(["cmp", str(self.source.device), str(self.target)], timeout_s=LIMIT_S)

    def end(self) -> None:
        """Nothing stays behind."""

    @contextmanager
    def _nbd_server(self) -> Iterator[int]:
        """Serve the target by qemu-nbd over TLS; yield its port."""
        port, keys = free_port(), self.folder / "keys"
        server = subprocess.Popen(
            [
                "qemu-nbd", "--object", f"tls-creds-x509,id=tls,endpoint=server,verify-peer=no,dir={keys}",
                "--tls-creds", "tls", "-f", "raw", "-b", "127.0.0.1", "-p", str(port), "-x", "disk", str(self.target),
            ]
        )  # fmt: skip
        with _ended(server):
            _wait_for(port)
            yield port
            # qemu-nbd ends with its last client; what it wrote must be in the image then.
            server.wait(timeout=LIMIT_S)

    def _make_durable(self) -> None:
        descriptor = os.open(self.target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class QemuImg(_Peer):
    """qemu-img convert to qemu-nbd."""

    name = "qemu-img, TLS"

    def run(self) -> None:
        """Copy the disk once."""
        with self._nbd_server() as port:
            target = f"driver=nbd,host=localhost,port={port},export=disk,tls-creds=tls"
            keys = f"tls-creds-x509,id=tls,endpoint=client,dir={self.folder / 'keys'}"
            source = str(self.source.device)
            run(
                ["qemu-img", "convert", "-n", "-f", "raw", "--object", keys, "--target-image-opts", source, target],
                timeout_s=LIMIT_S,
            )
        self._make_durable()


class NbdCopy(_Peer):
    """nbdcopy to qemu-nbd."""

    name = "nbdcopy, TLS"

    def run(self) -> None:
        """Copy the disk once."""
        with self._nbd_server() as port:
            address = f"nbds://localhost:{port}/disk?tls-certificates={self.folder / 'keys'}"
            run(["nbdcopy", "--flush", str(self.source.device), address], timeout_s=LIMIT_S)


class DdZstd(_Peer):
    """dd through zstd and a socket, in clear."""

    name = "dd and zstd, no TLS"

    def run(self) -> None:
        """Copy the disk once."""
        _through_zstd(
            ["dd", f"if={self.source.device}", "bs=1M", "status=none"],
            ["dd", f"of={self.target}", "bs=1M", "iflag=fullblock", "conv=notrunc,fsync", "status=none"],
        )


class PartcloneZstd(_Peer):
    """partclone, which reads used blocks only, through zstd and a socket, in clear."""

    name = "partclone and zstd, no TLS"

    def run(self) -> None:
        """Copy the filesystem once."""
        log = str(self.folder / "partclone.log")
        # Restoring to a device: given a file that exists, `-b -o` says that all is well and writes nothing.
        with attached(self.target) as device:
            _through_zstd(
                ["partclone.ext4", "-q", "-B", "-c", "-L", log, "-s", str(self.source.device), "-o", "-"],
                ["partclone.restore", "-q", "-B", "-L", log, "-s", "-", "-o", str(device)],
            )
        self._make_durable()

    def verify(self) -> None:
        """Compare the files of both: what isn't used wasn't copied."""
        with attached(self.target) as device:
            _compare_trees(self.source, device, self.folder / "copy")


class RsyncInPlace(_Peer):
    """rsync of the device by its rolling digests, in clear."""

    name = "rsync --inplace, no TLS"

    def run(self) -> None:
        """Copy the disk once."""
        with _rsync_server(self.folder, self.folder) as address:
            run(
                ["rsync", "--inplace", "--no-whole-file", "-I", "--copy-devices", str(self.source.device),
                 f"{address}/{self.target.name}"],
                timeout_s=LIMIT_S,
            )  # fmt: skip
        self._make_durable()


class RsyncTree(_Peer):
    """rsync of the files, in clear."""

    name = "rsync of the tree, no TLS"

    def empty(self) -> None:
        """Make an empty filesystem in place of the copy."""
        super().empty()
        run(["mkfs.ext4", "-q", "-F", str(self.target)])

    def run(self) -> None:
        """Copy the files once."""
        with self.source.tree() as tree, attached(self.target) as device:
            with (
                mounted(device, self.folder / "tree") as copy,
                _rsync_server(self.folder, copy) as address,
            ):
                run(["rsync", "-aHAX", "--numeric-ids", "--delete", f"{tree}/", f"{address}/"], timeout_s=LIMIT_S)
            (self.folder / "tree").rmdir()
        self._make_durable()

    def verify(self) -> None:
        """Compare the files of both."""
        with attached(self.target) as device:
            _compare_trees(self.source, device, self.folder / "copy")


def _compare_trees(source: SourceDisk, device: Path, mount_point: Path) -> None:
    with source.tree() as tree:
        with mounted(device, mount_point, ["ro"]) as copy:
            run(["diff", "--recursive", "--no-dereference", str(tree), str(copy)], timeout_s=LIMIT_S)
        mount_point.rmdir()


def _through_zstd(source: list[str], target: list[str]) -> None:
    """Pipe *source* through zstd, a TCP connection and zstd again into *target*."""
    near, far = connected()
    with near, far:
        last = subprocess.Popen(target, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        unpacker = subprocess.Popen(["zstd", "-q", "-d", "-c"], stdin=far.fileno(), stdout=last.stdin)
        first = subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        packer = subprocess.Popen(["zstd", "-q", "-1", "-T0", "-c"], stdin=first.stdout, stdout=near.fileno())
    for pipe in (last.stdin, first.stdout):
        assert pipe is not None
        pipe.close()
    for process in (first, packer, unpacker, last):
        if process.wait(timeout=LIMIT_S):
            raise ChildProcessError(process.args)


@contextmanager
def _rsync_server(folder: Path, root: Path) -> Iterator[str]:
    """Serve *root* by an rsync daemon on loopback; yield its address."""
    port, settings = free_port(), folder / "rsyncd.conf"
    settings.write_text(f"use chroot = no\n[copy]\npath = {root}\nread only = no\nuid = 0\ngid = 0\n")
    rsync = shutil.which("rsync")
    assert rsync is not None
    command = [rsync, "--daemon", "--no-detach", f"--config={settings}", f"--port={port}", "--address=127.0.0.1"]
    server = subprocess.Popen(command)
    with _ended(server):
        _wait_for(port)
        yield f"rsync://127.0.0.1:{port}/copy"
        # Its child has written everything, and is counted once it has been waited for.
        while len(list(tree(server.pid))) > 1:
            time.sleep(0.005)


@contextmanager
def _ended(server: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    # Reading the kernel's table instead of connecting: qemu-nbd serves its first client only.
    while f"{port:04X}" not in {line.split()[1].partition(":")[2] for line in _listeners()}:
        if time.monotonic() > deadline:
            raise TimeoutError(port)
        time.sleep(0.01)


def _listeners() -> list[str]:
    table = Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]
    return [line for line in table if line.split()[3] == "0A"]
