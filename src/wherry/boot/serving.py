"""The worker's side of a served guest: orders come on standard input, answers go to standard output."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from wherry.boot.messages import PASSED_ON, Answer, Facts, Opening, Order, receive, send
from wherry.errors import WherryError

Operations = Mapping[str, Callable[..., object]]
"""What can be ordered, by name. Refusals are OSError, WherryError, or TimeoutExpired for a program."""

Opener = Callable[[Opening], AbstractContextManager[tuple[Facts, Operations]]]


def serve(opener: Opener) -> None:
    """Open what the first message names, carry out orders until the input ends, and close."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    orders = sys.stdin.buffer
    opening = receive(orders, Opening)
    if opening is None:
        return
    try:
        with opener(opening) as (facts, operations):
            send(answers, Answer(facts))
            while (order := receive(orders, Order)) is not None:
                send(answers, _carried_out(order, operations))
    except (WherryError, OSError) as error:
        send(answers, _refusal(error))
    else:
        send(answers, Answer(None))  # closed: what was written is on the disks


def _carried_out(order: Order, operations: Operations) -> Answer:
    try:
        return Answer(operations[order.name](*order.arguments))
    except subprocess.TimeoutExpired as error:
        return Answer(None, f"{os.fsdecode(error.cmd)} had not ended after {error.timeout:g} s and was killed")
    except (WherryError, OSError) as error:
        return _refusal(error)


def _refusal(error: Exception) -> Answer:
    if isinstance(error, WherryError) and type(error).__name__ in PASSED_ON:
        details = {key: str(text) for key, text in error.details.items()}
        return Answer(None, str(error), type(error).__name__, details)
    return Answer(None, _reason(error))


def _reason(error: Exception) -> str:
    reason = error.details.get("reason") if isinstance(error, WherryError) else None
    return str(reason or error)
