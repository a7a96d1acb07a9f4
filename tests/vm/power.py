"""The power button of a machine."""

import contextlib

from wherry.boot.machine.errors import MachineGone, MonitorRefused
from wherry.boot.machine.machine import Machine


def switched_off(machine: Machine) -> bool:
    """Press the power button, and tell whether the system has switched its machine off a moment later."""
    try:
        with contextlib.suppress(MonitorRefused):
            machine.order("system_powerdown")
        machine.ended(5.0)
        return machine.status() == "shutdown"
    except MachineGone:
        return True  # a receiver has taken note of it
