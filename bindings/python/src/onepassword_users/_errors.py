"""Exceptions: one for each code of a failure, all with one base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

_E = TypeVar("_E", bound="ConnectorError")


@dataclass(frozen=True)
class Subject:
    """The argument, setting or secret at fault."""

    kind: str
    """``argument``, ``setting`` or ``secret``."""
    name: str
    """Its name."""


@dataclass(frozen=True)
class ServiceError:
    """The service's own description of an error."""

    status: int
    """The HTTP status."""
    code: str | None
    """The service's code."""
    message: str
    """The service's message. May be empty."""


class ConnectorError(Exception):
    """A failed action of any connector."""

    def __init__(self, failure: Mapping[str, Any]) -> None:
        super().__init__(failure)
        self._failure = dict(failure)
        self.code: str = failure["code"]
        """The code, such as ``user-not-found``."""
        self.failure_class: str = failure["class"]
        """The class of the code: ``caller``, ``settings``, ``credentials``, ``refused``, ``absent``, ``retry``, ``untrusted``
        or ``host``."""
        self.message: str = failure["message"]
        """A description: one clause in lower case."""
        self.remedy: str = failure["remedy"]
        """The way to solve the problem, as a sentence."""
        self.retryable: bool = failure["retryable"]
        """True if the same call may succeed later."""
        self.retry_after: int | None = failure["retry_after"]
        """The seconds to wait before the next attempt, if the service named them."""
        self.may_have_changed: bool = failure["may_have_changed"]
        """True if a change was sent whose outcome is not known."""
        self.user_id: str | None = failure["user_id"]
        """The id of the user that the failure is about, if it is known."""
        self.candidates: tuple[str, ...] = tuple(failure["candidates"])
        """The ids that the call may have meant: the first 100."""
        self.more_candidates: bool = failure["more_candidates"]
        """True if there are more candidates than these."""
        subject, service = failure["subject"], failure["service"]
        self.subject: Subject | None = Subject(**subject) if subject else None
        """The argument, setting or secret at fault."""
        self.service: ServiceError | None = ServiceError(**service) if service else None
        """The service's own description, if there was one."""

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message

    def to_dict(self) -> dict[str, Any]:
        """The failure as every face of the connector writes it in JSON."""
        return dict(self._failure)

    @classmethod
    def from_failure(cls: type[_E], failure: Mapping[str, Any]) -> _E:
        """The exception for a failure, by its code."""
        return cls(failure)


class OnePasswordUsersError(ConnectorError):
    """A failed action. Its subclasses are for one code each; a code that this version does not know has this class."""

    @classmethod
    def from_failure(cls, failure: Mapping[str, Any]) -> OnePasswordUsersError:
        """The exception for a failure, by its code."""
        return _BY_CODE.get(failure["code"], OnePasswordUsersError)(failure)


class InvalidArgumentError(OnePasswordUsersError):
    """An argument is not valid; nothing was sent."""


class PageTokenRefusedError(OnePasswordUsersError):
    """The service does not accept the page token any more."""


class TooManyUsersError(OnePasswordUsersError):
    """The account has more users, or more text, than one list may have."""


class MisconfiguredError(OnePasswordUsersError):
    """A setting or secret is missing or wrong, a certificate is not accepted, or the origin is not allowed."""


class UnauthenticatedError(OnePasswordUsersError):
    """The service does not accept the credentials."""


class PermissionDeniedError(OnePasswordUsersError):
    """A permission is missing, the user is protected, or the account is another."""


class UserNotFoundError(OnePasswordUsersError):
    """There is no such user."""


class AmbiguousUserError(OnePasswordUsersError):
    """Several users have the address, or none has it and some have a similar one: see ``candidates``."""


class AddressMismatchError(OnePasswordUsersError):
    """The user with the id has another address than the call says."""


class LastOwnerError(OnePasswordUsersError):
    """The last owner cannot be suspended."""


class ExternallyManagedError(OnePasswordUsersError):
    """An externally managed administrator cannot be suspended here."""


class ProtectedUserError(OnePasswordUsersError):
    """``protected-users`` names the user; no change was sent."""


class RateLimitedError(OnePasswordUsersError):
    """Too many requests; see ``retry_after``."""


class UnavailableError(OnePasswordUsersError):
    """No connection, no answer in time, or the service failed."""


class InvalidResponseError(OnePasswordUsersError):
    """The response is not one of the service."""


class EndlessListError(OnePasswordUsersError):
    """The pages of the list lead in a circle or go on without an end."""


class IntermediaryError(OnePasswordUsersError):
    """A proxy or gateway between here and the service answered instead of it."""


class HostFailedError(OnePasswordUsersError):
    """The component trapped, or this package could not run it."""


class OtherError(OnePasswordUsersError):
    """Anything else: read the message."""


_BY_CODE: dict[str, type[OnePasswordUsersError]] = {
    "invalid-argument": InvalidArgumentError,
    "page-token-refused": PageTokenRefusedError,
    "too-many-users": TooManyUsersError,
    "misconfigured": MisconfiguredError,
    "unauthenticated": UnauthenticatedError,
    "permission-denied": PermissionDeniedError,
    "user-not-found": UserNotFoundError,
    "ambiguous-user": AmbiguousUserError,
    "address-mismatch": AddressMismatchError,
    "last-owner": LastOwnerError,
    "externally-managed": ExternallyManagedError,
    "protected-user": ProtectedUserError,
    "rate-limited": RateLimitedError,
    "unavailable": UnavailableError,
    "invalid-response": InvalidResponseError,
    "endless-list": EndlessListError,
    "intermediary": IntermediaryError,
    "host-failed": HostFailedError,
    "other": OtherError,
}
