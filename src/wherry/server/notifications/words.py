"""Events in words for people: one line each, and the text of an e-mail."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from wherry.contract.notifications import EventType
from wherry.server.notifications.message import Message

HEADLINES: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        EventType.TASK_CREATED: "Task {task} was created for {source}",
        EventType.TASK_STARTED: "The migration of {source} has started",
        EventType.TASK_SYNCING: "{source} is copied and kept in sync",
        EventType.TASK_STOPPED: "The migration of {source} was stopped",
        EventType.TASK_SUCCEEDED: "The migration of {source} has succeeded",
        EventType.TASK_FAILED: "The migration of {source} has failed",
        EventType.NOT_CONVERGING: "{source} changes faster than it can be copied",
        EventType.REHEARSAL_PASSED: "The copy of {source} has passed its rehearsal",
        EventType.REHEARSAL_FAILED: "The copy of {source} has failed its rehearsal",
        EventType.REHEARSAL_INCONCLUSIVE: "The rehearsal of {source} says nothing",
        EventType.TARGET_LAUNCHED: "The target of {source} is running",
        EventType.TARGET_LAUNCH_FAILED: "The target of {source} could not be launched",
        EventType.TARGET_ROLLED_BACK: "The target of {source} was rolled back",
        EventType.TARGET_ROLL_BACK_FAILED: "The target of {source} could not be rolled back",
        EventType.SOURCE_REGISTERED: "{source} has registered",
        EventType.SOURCE_CONNECTED: "The agent of {source} is back",
        EventType.SOURCE_DISCONNECTED: "The agent of {source} is silent",
        EventType.RECEIVER_LOW_ON_SPACE: "Receiver {receiver} is low on space",
        EventType.TEST: "A test of the subscription {subscription}",
    }
)

_NAMED: Final = ("source", "task", "receiver", "subscription")
_LONGEST_NAME: Final = 100


def headline(message: Message) -> str:
    """Return an event in one line."""
    names = {kind: _plain(message.data.get(kind, {}).get("name", "?"))[:_LONGEST_NAME] for kind in _NAMED}
    known = {str(kind): text for kind, text in HEADLINES.items()}
    return known.get(message.type, message.type).format(**names)


def text_of(message: Message) -> str:
    """Return the plain text of an e-mail: what happened, its cause and fix, and where to read more."""
    return "\n".join(
        [f"{headline(message)}.", "", *_facts(message), "", *_error(message.data.get("error")), *_end(message)]
    )


def _facts(message: Message) -> Iterator[str]:
    yield f"When:     {message.time()}"
    for kind in _NAMED:
        about = message.data.get(kind)
        if about:
            state = f", {about['state']}" if about.get("state") else ""
            yield f"{kind.capitalize() + ':':<10}{_plain(about.get('name', ''))} ({about['id']}{state})"
    if message.data.get("from_state"):
        yield f"Before:   {message.data['from_state']}"
    forecast = message.data.get("forecast")
    if forecast:
        yield f"Needed:   {forecast['needed_mbit']:.0f} Mbit/s"
    if "free_bytes" in message.data:
        yield f"Free:     {message.data['free_bytes'] / (1 << 30):.1f} GiB"
    if message.data.get("note"):
        yield _plain(message.data["note"])


def _error(error: Mapping[str, Any] | None) -> Sequence[str]:
    if not error:
        return ()
    lines = [f"{error['code']}: {_plain(error['message'])}"]
    lines += [f"{name.capitalize() + ':':<7}{_plain(error[name])}" for name in ("cause", "fix") if error.get(name)]
    return [*lines, ""]


def _end(message: Message) -> Sequence[str]:
    return [message.link, "", "--", f"Wherry, {message.type}, event {message.event_id}", ""]


def _plain(text: str) -> str:
    """Return *text* in one line: names come from servers that nobody vouches for."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
