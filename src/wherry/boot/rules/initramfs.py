"""The initramfs reaches the target machine's disks. One that does is left alone."""

from collections.abc import Iterator
from typing import Final

from wherry.boot.changeset import Notice, RebuildInitramfs, Weight
from wherry.boot.drivers import NEEDED
from wherry.boot.inspection import RESUME
from wherry.boot.system import Kernel, System
from wherry.boot.target import TargetMachine

_RESCUE: Final = "-rescue"


def add_drivers(system: System, target: TargetMachine) -> Iterator[RebuildInitramfs | Notice]:
    """Rebuild the initramfs of each kernel that lacks a driver for the target's disk bus."""
    needed = NEEDED[target.bus]
    kernels = [kernel for kernel in system.kernels if _RESCUE not in kernel.version]
    able = [kernel for kernel in kernels if not _without_driver(kernel, needed)]
    if not able:
        yield _no_kernel(kernels, target)
        return
    for kernel in kernels:
        absent = _without_driver(kernel, needed)
        lacking = _lacking(kernel, needed)
        if absent:
            yield Notice(
                Weight.WARNING,
                f"The kernel {kernel.version} has no driver {', '.join(absent)}, so it can't start on {target.bus}.",
                "Start another kernel there, which the boot loader's menu offers.",
            )
        elif lacking and (system.initramfs_tool is None or not kernel.initramfs):
            yield Notice(
                Weight.BLOCKER,
                f"The kernel {kernel.version} starts without the driver {', '.join(lacking)} for {target.bus}, and the "
                "system has nothing to build an initramfs with.",
                "Install initramfs-tools or dracut on the source, or choose another disk bus.",
            )
        elif lacking and system.initramfs_tool is not None:
            modules = tuple(name for name in needed if name not in kernel.builtin)
            yield rebuilt(kernel, system, modules, _why(kernel, lacking, target))


def rebuilt(kernel: Kernel, system: System, modules: tuple[str, ...], why: str) -> RebuildInitramfs:
    """Return the change that builds a kernel's initramfs anew; the system has a tool for it."""
    if system.initramfs_tool is None:
        raise ValueError("nothing builds an initramfs here")
    return RebuildInitramfs(
        kernel=kernel.version,
        path=kernel.initramfs,
        tool=system.initramfs_tool,
        modules=modules,
        why=(why,),
        resume=_resume(system),
    )


def _without_driver(kernel: Kernel, needed: tuple[str, ...]) -> list[str]:
    carried = kernel.carried or frozenset()
    return [name for name in needed if name not in kernel.available | kernel.builtin | carried]


def _lacking(kernel: Kernel, needed: tuple[str, ...]) -> list[str]:
    return [name for name in needed if name not in kernel.builtin | (kernel.carried or frozenset())]


def _resume(system: System) -> str:
    """Return the swap to resume from where the system leaves the choice to the build: it would take this machine's."""
    if RESUME in system.files:
        return ""
    return next((f"UUID={each.uuid}" for each in system.filesystems if each.type == "swap"), "none")


def _why(kernel: Kernel, lacking: list[str], target: TargetMachine) -> str:
    if kernel.carried is None:
        return f"What it carries can't be told ({kernel.unreadable}); it has to reach {target.bus} disks."
    return f"It lacks {', '.join(lacking)}, without which the kernel finds no {target.bus} disk."


def _no_kernel(kernels: list[Kernel], target: TargetMachine) -> Notice:
    if not kernels:
        return Notice(
            Weight.BLOCKER,
            "There's no kernel in /boot that has its modules in /lib/modules.",
            "Install a kernel on the source; a container or a network-booted server has none of its own.",
        )
    return Notice(
        Weight.BLOCKER,
        f"None of the kernels ({', '.join(each.version for each in kernels)}) has the drivers for {target.bus}.",
        "Choose another disk bus, or install a kernel with these drivers on the source.",
    )
