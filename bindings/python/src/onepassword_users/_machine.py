"""The IO-free core of the driver: a generator that yields what to do, and is sent the event that answers it.

It knows nothing of any service. The drivers in ``_sync`` and ``_async`` carry the operations out."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Union

from wasmtime import component as wc

from ._component import Event, Instance, Record, TrapError

# The longest list, of 2,000,000 users, takes some 10,000 steps.
_MAX_STEPS = 100_000
_MAX_RESULT = 512 * 1024 * 1024
_FAILURE_MEMBERS = (
    "code",
    "class",
    "message",
    "remedy",
    "retryable",
    "retry_after",
    "may_have_changed",
    "subject",
    "user_id",
    "candidates",
    "more_candidates",
    "service",
)


@dataclass(frozen=True)
class LookUp:
    """Look these values up. Answered by ``values`` or ``lookup_failed``."""

    kind: str
    names: Sequence[str]


@dataclass(frozen=True)
class Request:
    """Send a request and read the whole response. Answered by ``response`` or ``no_response``."""

    record: wc.Record

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name.replace("_", "-"))

    def __repr__(self) -> str:
        return f"Request({self.method} …)"


@dataclass(frozen=True)
class Wait:
    """Wait, or less if another action of the instance has taken a step after ``seen``. Answered by ``ELAPSED``."""

    seconds: float
    instance: Instance
    seen: int | None

    def is_over(self) -> bool:
        """True if another action has taken a step, or the instance has ended."""
        return self.seen is not None and (self.instance.progress > self.seen or not self.instance.is_usable)


@dataclass(frozen=True)
class Output:
    """The result of an action."""

    json: str
    """The result in JSON."""
    summary: str
    """The result in one line, for people. It may hold text of the service."""
    changed: bool
    """True if the action changed something."""

    @cached_property
    def data(self) -> Any:
        """The result, parsed."""
        return json.loads(self.json)


Operation = Union[LookUp, Request, Wait]
ELAPSED = Event("elapsed")


def values(found: Sequence[str | None]) -> Event:
    """Values that were looked up, in the order of their names."""
    return Event("values", list(found))


def lookup_failed(kind: str, name: str | None, message: str) -> Event:
    """Values could not be looked up."""
    return Event("lookup-failed", Record(kind=kind, name=name, message=message))


def response(status: int, headers: str, body: str | bytes, decoded: bool) -> Event:
    """A response."""
    return Event("response", Record(status=status, url=None, headers=headers, body=body, decoded=decoded))


def no_response(fault: str, detail: str, status: int | None = None) -> Event:
    """The failure of a request."""
    return Event("no-response", Record(fault=fault, status=status, detail=detail))


def run(
    instance: Instance,
    action_name: str | None,
    arguments: str,
    setting_names: Sequence[str],
    notify: Callable[[], None],
    error: Callable[[Mapping[str, Any]], Exception],
) -> Generator[Operation, Event, Output]:
    """Runs an action, or the test of the connector if there is no name. ``notify`` is called after each step that another
    action may wait for. Closing the generator ends the action."""
    event = yield LookUp("settings", setting_names)
    # Otherwise the action looks up those that it needs.
    settings = None
    if event.tag == "values":
        settings = [(name, value) for name, value in zip(setting_names, event.payload or [], strict=True) if value is not None]
    action, has_sent_change, length = None, False, 0
    parts: list[str] = []
    try:
        if action_name is None:
            action = instance.begin_test(settings)
        else:
            action = instance.begin(action_name, arguments, settings)
        event = Event("start")
        for _ in range(_MAX_STEPS):
            # Steps of others count from now on, also while this one is computed.
            seen = instance.progress
            step = instance.step(action, event)
            tag = step.tag
            payload: Any = step.payload
            may_end_early = tag == "wait" and getattr(payload, "may-end-early")
            if not may_end_early:
                instance.progress += 1
                notify()
            if tag == "send":
                request = Request(payload)
                has_sent_change = has_sent_change or request.changes is not None
                event = yield request
            elif tag == "look-up-secrets" or tag == "look-up-settings":
                event = yield LookUp(tag[len("look-up-") :], payload)
            elif tag == "wait":
                event = yield Wait(payload.duration / 1e9, instance, seen if may_end_early else None)
            elif tag == "part":
                parts.append(payload)
                length += len(payload)
                if length > _MAX_RESULT:
                    raise TrapError("the result is too long")
                event = Event("more")
            elif tag == "done":
                return Output("".join([*parts, payload.output]), payload.summary, payload.changed)
            else:
                raise error(_failure(payload))
        raise TrapError("the action does not end")
    except TrapError as trap:
        # Actions that wait for this one end as well.
        notify()
        raise error(host_failed(str(trap), has_sent_change)) from None
    finally:
        if action is not None:
            instance.drop(action)
            instance.progress += 1
            notify()


def host_failed(message: str, may_have_changed: bool = False) -> dict[str, Any]:
    """The failure of this package or of the component."""
    remedy = "Report it to the maintainers of the platform"
    remedy += ", and look at the user before anything else." if may_have_changed else "."
    members: dict[str, Any] = dict.fromkeys(_FAILURE_MEMBERS)
    return members | {
        "code": "host-failed",
        "class": "host",
        "message": message,
        "remedy": remedy,
        "retryable": False,
        "may_have_changed": may_have_changed,
        "candidates": [],
        "more_candidates": False,
    }


def _failure(record: Any) -> dict[str, Any]:
    failure = {name: getattr(record, name.replace("_", "-")) for name in _FAILURE_MEMBERS}
    for name in ("subject", "service"):
        if failure[name] is not None:
            failure[name] = dict(vars(failure[name]))
    return failure
