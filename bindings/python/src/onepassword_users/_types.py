"""The results of the actions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, TypeVar, Union

from ._errors import OnePasswordUsersError

_O = TypeVar("_O", bound="_OpenEnum")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


class _OpenEnum(str, Enum):
    """An enum of texts. A text that this version does not know is a member as well, with that text as its value."""

    @classmethod
    def _missing_(cls: type[_O], value: object) -> _O | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value.upper().replace("-", "_")
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str(self.value)


class UserState(_OpenEnum):
    """The state of a user."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    OTHER = "other"
    """Neither: see ``service_state``."""


class Outcome(_OpenEnum):
    """The outcome of a change."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """The user was in the wanted state already."""
    WOULD_CHANGE = "would-change"
    """A dry run: the user is in the other state."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the account."""

    id: str
    """The id."""
    email: str
    """The e-mail address."""
    display_name: str
    """The name."""
    state: UserState
    """The state."""
    service_state: str
    """The service's own word for the state."""
    create_time: datetime | None
    """The time of creation, or None if the service's text is not a time."""
    path: str
    """The path of the user at the service."""
    _create_time: str = field(default="", repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The user as every face of the connector writes it in JSON."""
        time = self._create_time
        if not time and self.create_time is not None:
            time = self.create_time.isoformat().replace("+00:00", "Z")
        return {
            "id": self.id,
            "email": self.email,
            "display_name": self.display_name,
            "state": self.state.value,
            "service_state": self.service_state,
            "create_time": time,
            "path": self.path,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """The result of a suspension or reactivation."""

    outcome: Outcome
    """The outcome."""
    user: User
    """The user after the change."""

    def to_dict(self) -> dict[str, Any]:
        """The change as every face of the connector writes it in JSON."""
        return {"outcome": self.outcome.value, "user": self.user.to_dict()}


UserRef = Union[str, User, Mapping[str, str]]
"""An id or an e-mail address; or a user, or a mapping with ``id`` and ``email``: the id, whose user must have the address."""


@dataclass(frozen=True, slots=True)
class Found:
    """The result for one of several users."""

    input: Any
    """The user as it was given."""
    user: User | None
    """The user, if there is no error."""
    error: OnePasswordUsersError | None
    """The failure, which was not raised."""

    def to_dict(self) -> dict[str, Any]:
        """The result as every face of the connector writes it in JSON."""
        return {
            "input": self.input,
            "user": self.user.to_dict() if self.user else None,
            "error": self.error.to_dict() if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a test."""

    check: str
    """The thing that was checked."""
    result: str
    """The result, in words."""
    _all: Mapping[str, Any] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The check as every face of the connector writes it in JSON."""
        return dict(self._all)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a test of settings, credentials and permissions."""

    ok: bool
    """True if nothing is wrong."""
    checks: tuple[Check, ...]
    """The checks, in their order."""

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The report as every face of the connector writes it in JSON."""
        return {"ok": self.ok, "checks": [check.to_dict() for check in self.checks]}


def time_of(text: str) -> datetime | None:
    """A time of RFC 3339, or None."""
    try:
        if len(text) == 20 and text[-1] == "Z":
            return datetime.fromisoformat(text[:19] + "+00:00")
        match = _TIME.fullmatch(text)
        if not match:
            return None
        date, time, fraction, sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        whole = datetime.fromisoformat(f"{date}T{time}")
        return whole.replace(microsecond=int((fraction or "0").ljust(6, "0")), tzinfo=timezone(offset))
    except ValueError:
        return None


_STATES = {state.value: state for state in UserState}


def user_of(json: Mapping[str, Any]) -> User:
    """A user from its JSON."""
    state, time = json["state"], json["create_time"]
    return User(
        json["id"],
        json["email"],
        json["display_name"],
        _STATES.get(state) or UserState(state),
        json["service_state"],
        time_of(time),
        json["path"],
        time,
    )


def change_of(json: Mapping[str, Any]) -> Change:
    """A change from its JSON."""
    return Change(Outcome(json["outcome"]), user_of(json["user"]))


def found_of(json: Mapping[str, Any]) -> Found:
    """One of several results from its JSON."""
    user, error = json["user"], json["error"]
    failure = OnePasswordUsersError.from_failure(error) if error else None
    return Found(json["input"], user_of(user) if user else None, failure)


def report_of(json: Mapping[str, Any]) -> Report:
    """A report from its JSON."""
    checks = [Check(check["check"], check["result"], check) for check in json["checks"]]
    return Report(json["ok"], tuple(checks))


def ref_of(user: UserRef) -> Any:
    """A reference to a user as JSON."""
    if isinstance(user, User):
        return {"id": user.id, "email": user.email} if user.email else user.id
    return user if isinstance(user, str) else dict(user)
