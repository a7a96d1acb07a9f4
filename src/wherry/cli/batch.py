"""Doing one thing to many: a few at a time, each with an outcome of its own, so that one refusal stops nobody else."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from wherry.cli.output import Column, show, table
from wherry.client.errors import ControlPlaneError
from wherry.contract.values import Wire
from wherry.errors import ExitStatus

T = TypeVar("T")

AT_A_TIME: Final = 8


class Outcome(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """What came of one item. Without a code it was done; `result` is what it gave, such as the id of what was made."""

    id: str
    name: str
    done: bool
    result: str = ""
    code: str = ""
    message: str = ""
    cause: str = ""
    fix: str = ""


_COLUMNS: Final = (
    Column[Outcome]("name", lambda each: each.name),
    Column[Outcome]("id", lambda each: each.id),
    Column[Outcome]("done", lambda each: each.done),
    Column[Outcome]("result", lambda each: each.result or f"{each.code} {each.message}".strip()),
)


def do_each(items: Sequence[T], act: Callable[[T], str | None], name: Callable[[T], tuple[str, str]]) -> list[Outcome]:
    """Do *act* to each of *items* and return what came of it, in the order of the items.

    A refusal of the control plane is an outcome. Where it can't be reached at all that error is raised, once what was
    under way has ended.

    Args:
        items: what it's done to.
        act: does it, and returns what it gave, if anything; called from several threads.
        name: gives an item's id and name.
    """

    def one(item: T) -> Outcome:
        known_as, called = name(item)
        try:
            return Outcome(id=known_as, name=called, done=True, result=act(item) or "")
        except ControlPlaneError as error:
            return Outcome(
                id=known_as,
                name=called,
                done=False,
                code=error.code,
                message=error.message,
                cause=error.cause,
                fix=error.fix,
            )

    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        futures = [pool.submit(one, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def tell(outcomes: Sequence[Outcome], *, json: bool) -> int:
    """Print the outcomes, and return the exit status: REFUSED where one was refused."""
    show(outcomes, table(_COLUMNS, outcomes), *_explained(outcomes), json=json)
    return ExitStatus.DONE if all(each.done for each in outcomes) else ExitStatus.REFUSED


def _explained(outcomes: Sequence[Outcome]) -> Sequence[str]:
    """Return the cause and the fix of each code among *outcomes*, once."""
    known = {each.code: each for each in outcomes if not each.done}
    return [f"{each.code}\n  cause: {each.cause}\n  fix:   {each.fix}" for each in known.values()]
