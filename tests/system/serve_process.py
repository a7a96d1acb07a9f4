"""A control plane as a process of its own, for the system tests of `wherry serve`."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdksms import v3

READY_S = 20.0


@dataclass
class ServeProcess:
    """A running `wherry serve`."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path

    @property
    def admin(self) -> dict[str, str]:
        """What admin.json says."""
        content: dict[str, str] = json.loads((self.data / "admin.json").read_text())
        return content

    def client(self) -> v3.SmsClient:
        """Return the vendor's client, as a user of the SDK would build it."""
        admin, config = self.admin, HttpConfig.get_default_config()
        config.ssl_ca_cert = admin["ca_file"]
        credentials = BasicCredentials(admin["access_key"], admin["secret_key"], admin["project_id"])
        builder = v3.SmsClient.new_builder().with_http_config(config).with_credentials(credentials)
        return builder.with_endpoint(admin["endpoint"]).build()

    def http(self, *, timeout_s: float = 30.0) -> httpx.Client:
        """Return a plain HTTP client that trusts the control plane's authority."""
        context = ssl.create_default_context(cafile=self.admin["ca_file"])
        return httpx.Client(base_url=self.admin["endpoint"], verify=context, timeout=timeout_s)

    def token(self) -> str:
        """Log in by the password of admin.json and return a token."""
        admin = self.admin
        user = {"name": admin["user_name"], "password": admin["password"], "domain": {"name": admin["domain_name"]}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        with self.http() as http:
            answer = http.post("/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, *, within_s: float = 15.0) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


def launch(
    data: Path, *, listen: str = "127.0.0.1:0", options: Sequence[str] = (), log: Path | None = None
) -> ServeProcess:
    """Start `wherry serve` on *data* without waiting for it."""
    log = data.with_suffix(".log") if log is None else log
    program = "from wherry.cli.main import main; main()"
    command = [sys.executable, "-c", program, "serve", "--data", str(data), "--listen", listen, *options]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return ServeProcess(process, data, log)


def start(data: Path, *, listen: str = "127.0.0.1:0", options: Sequence[str] = ()) -> ServeProcess:
    """Start `wherry serve` on *data* and return once it's ready."""
    seen = len(_serving_lines(data.with_suffix(".log")))
    return wait_until_ready(launch(data, listen=listen, options=options), seen)


def wait_until_ready(running: ServeProcess, seen: int = 0) -> ServeProcess:
    """Return *running* once it's ready. *seen* starts of it are in its log from before."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.log.read_text()[-3000:]
        if len(_serving_lines(running.log)) > seen and _is_ready(running):
            return running
        time.sleep(0.02)
    running.kill()
    raise AssertionError(f"not ready:\n{running.log.read_text()[-3000:]}")


def _serving_lines(log: Path) -> list[str]:
    return re.findall(r'"event": "serving"', log.read_text()) if log.exists() else []


def _is_ready(running: ServeProcess) -> bool:
    try:
        with running.http(timeout_s=2) as http:
            return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def registration(name: str) -> v3.PostSourceServerBody:
    """Return a registration that passes all checks."""
    partition = v3.PhysicalVolume(
        device_use="OS", file_system="ext4", index=1, mount_point="/", name="/dev/vda1", size=10**9, used_size=10**8
    )
    disk = v3.ServerDisk(
        name="/dev/vda",
        partition_style="GPT",
        device_use="OS",
        size=2 * 10**9,
        used_size=10**8,
        physical_volumes=[partition],
    )
    mac = "52:54:00:" + ":".join(f"{byte:02x}" for byte in os.urandom(3))
    return v3.PostSourceServerBody(
        name=name,
        ip="192.0.2.10",
        hostname=name,
        os_type="LINUX",
        os_version="DEBIAN_12_64BIT",
        firmware="BIOS",
        boot_loader="GRUB",
        agent_version="1.0",
        cpu_quantity=2,
        memory=2048,
        has_rsync=True,
        has_tc=True,
        paravirtualization=True,
        raw_devices="",
        volume_groups=[],
        btrfs_list=[],
        networks=[v3.NetWork(name="eth0", ip="192.0.2.10", mac=mac)],
        disks=[disk],
    )


def task(source_id: str, name: str = "move") -> v3.PostTask:
    """Return a task for a source that `registration` describes."""
    disk = v3.TargetDisk(name="disk 0", size=2 * 10**9, device_use="OS", disk_id="disk-0", physical_volumes=[])
    return v3.PostTask(
        name=name,
        type="MIGRATE_BLOCK",
        os_type="LINUX",
        syncing=True,
        exist_server=True,
        migration_ip="192.0.2.20",
        region_name="region-1",
        region_id="region-1",
        project_name="project",
        project_id="project",
        source_server=v3.SourceServerByTask(id=source_id),
        target_server=v3.TargetServerByTask(name="target", vm_id=f"vm-{source_id}", disks=[disk]),
    )


def result(name: str, detail: Any) -> v3.CommandBody:
    """Return the report of a command that went well."""
    return v3.CommandBody(command_name=name, result="success", result_detail=detail)
