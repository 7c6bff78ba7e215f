"""List, get, suspend and reactivate 1Password users.

The work is done by a WebAssembly component that can compute and nothing else: this package sends its requests."""

from ._async import AsyncConnector
from ._client import AsyncOnePasswordUsers, OnePasswordUsers, component_path
from ._errors import (
    AddressMismatchError,
    AmbiguousUserError,
    ConnectorError,
    EndlessListError,
    ExternallyManagedError,
    HostFailedError,
    IntermediaryError,
    InvalidArgumentError,
    InvalidResponseError,
    LastOwnerError,
    MisconfiguredError,
    OnePasswordUsersError,
    OtherError,
    PageTokenRefusedError,
    PermissionDeniedError,
    ProtectedUserError,
    RateLimitedError,
    ServiceError,
    Subject,
    TooManyUsersError,
    UnauthenticatedError,
    UnavailableError,
    UserNotFoundError,
)
from ._http import Cancelled
from ._machine import Output
from ._sources import LookupFailed, Source, Value
from ._sync import CancelToken, Connector
from ._types import Change, Check, Found, Outcome, Report, User, UserRef, UserState

__all__ = [
    "AddressMismatchError",
    "AmbiguousUserError",
    "AsyncConnector",
    "AsyncOnePasswordUsers",
    "CancelToken",
    "Cancelled",
    "Change",
    "Check",
    "Connector",
    "ConnectorError",
    "EndlessListError",
    "ExternallyManagedError",
    "Found",
    "HostFailedError",
    "IntermediaryError",
    "InvalidArgumentError",
    "InvalidResponseError",
    "LastOwnerError",
    "LookupFailed",
    "MisconfiguredError",
    "OnePasswordUsers",
    "OnePasswordUsersError",
    "OtherError",
    "Outcome",
    "Output",
    "PageTokenRefusedError",
    "PermissionDeniedError",
    "ProtectedUserError",
    "RateLimitedError",
    "Report",
    "ServiceError",
    "Source",
    "Subject",
    "TooManyUsersError",
    "UnauthenticatedError",
    "UnavailableError",
    "User",
    "UserNotFoundError",
    "UserRef",
    "UserState",
    "Value",
    "component_path",
]
