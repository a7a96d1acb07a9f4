"""The scope that a machine's memory and processors are limited by, on a host that systemd runs: a guest plays it."""

import shlex
from pathlib import Path

from tests.vm.moving import running
from tests.vm.recipe import Recipe
from wherry.boot.machine.scope import scope_prefix

LOOK = "cat <&7; cd /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); pwd; cat memory.max cpu.max"


def test_a_machine_of_such_a_host_is_limited_and_keeps_what_it_was_handed(tmp_path: Path) -> None:
    with running(Recipe(), tmp_path) as shell:
        prefix = shlex.join(scope_prefix("web", 512, 2))
        told = shell(f"exec 7</etc/hostname; {prefix} sh -c {shlex.quote(LOOK)}").splitlines()
    hostname, place, memory, processors = told
    assert hostname == Recipe().hostname
    assert place.startswith("/sys/fs/cgroup/machine.slice/")
    assert int(memory) == (512 + 1024) << 20
    assert processors == "300000 100000"
