"""The typed clients."""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union

from ._async import AsyncConnector
from ._driver import Audit
from ._errors import OnePasswordUsersError
from ._machine import Output
from ._sources import Secret, Source, Value
from ._sync import Connector
from ._types import Change, Found, Report, User, UserRef, UserState, change_of, found_of, ref_of, report_of, user_of

_PAGE = 1000
_S = TypeVar("_S", bound="OnePasswordUsers")
_A = TypeVar("_A", bound="AsyncOnePasswordUsers")
_List = builtins.list
State = Union[UserState, str, None]


def component_path() -> Path:
    """The component inside this package."""
    return Path(__file__).with_name("component.wasm")


class _OwnConnector(Connector):
    _error = staticmethod(OnePasswordUsersError.from_failure)


class _OwnAsyncConnector(AsyncConnector):
    _error = staticmethod(OnePasswordUsersError.from_failure)


class _Client:
    """The options of both clients."""

    def __init__(
        self,
        *,
        account_id: Value = None,
        client_id: Value = None,
        client_secret: Value = None,
        access_token: Value = None,
        base_url: Value = None,
        protected_users: Value | Sequence[str] = None,
        api_version: Value = None,
        timeout: int | None = None,
        deadline: int | None = None,
        max_attempts: int | None = None,
        user_agent: Value = None,
        vault: Source | None = None,
        environment: bool = True,
        lookup_timeout: float = 10.0,
        proxy: str | Secret | None = None,
        ca_file: Union[str, os.PathLike[str], None] = None,
        verify: bool = True,
        allowed_origins: Collection[str] = (),
        cache_dir: Union[str, os.PathLike[str], bool, None] = True,
        audit: Audit | None = None,
    ) -> None:
        """Creates a client. Nothing is sent.

        Each setting and secret is a text, or a function that returns it, sync or async, which is called when the value is needed.
        What is not given comes from ``vault`` (secrets only), and then from the environment.

        Args:
            account_id: the id of the account
            client_id: the client id of the OAuth application
            client_secret: the client secret of the OAuth application
            access_token: a bearer token instead of client id and secret
            base_url: the origin of the service, by the region of the account
            protected_users: ids and e-mail addresses of users that are never suspended
            api_version: ``v1`` or ``v1beta1``
            timeout: idle timeout, in seconds
            deadline: seconds that one action may take
            max_attempts: attempts for each request
            user_agent: your product and version, such as ``ExamplePlatform/2.1``
            vault: a function that gets names of secrets and returns a mapping, sync or async
            environment: whether variables such as ``ONEPASSWORD_ACCOUNT_ID`` are read
            lookup_timeout: the longest wait for the functions above, in seconds
            proxy: ``http://host:port``, ``none``, or ``env`` (the default) for ``HTTPS_PROXY`` and ``NO_PROXY``
            ca_file: a PEM file of CA certificates, in addition to the system's
            verify: False accepts any certificate: for tests only
            allowed_origins: origins that ``base_url`` may name besides the service's own: the credentials go there
            cache_dir: a folder for compiled code; False for none
            audit: a function that gets the id of a user before a change is sent; if it raises, nothing is sent

        Raises:
            ValueError: if an option is not valid
            OSError: if the CA file cannot be read
        """
        # Tracebacks with local variables show these names.
        client_id, client_secret = Secret.of(client_id), Secret.of(client_secret)
        access_token = Secret.of(access_token)
        if isinstance(protected_users, Sequence) and not isinstance(protected_users, str):
            protected_users = "\n".join(protected_users)
        if proxy is None and environment:
            proxy = os.environ.get("ONEPASSWORD_PROXY") or None
        proxy = Secret.of_text(proxy)
        settings: dict[str, Value] = {
            "base-url": base_url,
            "account-id": account_id,
            "protected-users": protected_users,
            "api-version": api_version,
            "timeout": None if timeout is None else str(timeout),
            "deadline": None if deadline is None else str(deadline),
            "max-attempts": None if max_attempts is None else str(max_attempts),
            "user-agent": user_agent,
        }
        secrets: dict[str, Value] = {
            "client-id": client_id,
            "client-secret": client_secret,
            "access-token": access_token,
        }
        self._connect(
            settings=settings,
            secrets=secrets,
            vault=vault,
            environment="ONEPASSWORD_" if environment else None,
            lookup_timeout=lookup_timeout,
            proxy=proxy,
            ca_file=ca_file,
            verify=verify,
            allowed_origins=allowed_origins,
            cache_dir=cache_dir,
            audit=audit,
        )

    def _connect(self, **options: Any) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} holds credentials and connections, and cannot be pickled or copied")


def _list_arguments(state: State, limit: int | None = None, page_token: str | None = None) -> dict[str, Any]:
    arguments = {"state": None if state is None else str(state), "limit": limit, "page_token": page_token}
    return {name: value for name, value in arguments.items() if value is not None}


def _change_arguments(user: UserRef, dry_run: bool) -> dict[str, Any]:
    return {"user": ref_of(user), "dry_run": dry_run}


def _users(output: Output) -> _List[User]:
    return [user_of(user) for user in output.data["users"]]


class OnePasswordUsers(_Client):
    """The users of a 1Password account, from blocking code. One client may be used by many threads, and shares its token and
    connections among them. Every method that runs an action raises `OnePasswordUsersError`."""

    _connector: _OwnConnector

    def _connect(self, **options: Any) -> None:
        self._connector = _OwnConnector(component_path(), **options)

    def __enter__(self: _S) -> _S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._connector.close()

    def list(self, state: State = None) -> _List[User]:
        """All users, or those in a state. The list is whole, or it is an error."""
        return _users(self._connector.invoke("list-users", _list_arguments(state)))

    def iter(self, state: State = None) -> Iterator[User]:
        """All users, or those in a state, page by page: an error may come after the first of them."""
        page_token = None
        while True:
            output = self._connector.invoke("list-users", _list_arguments(state, _PAGE, page_token))
            yield from _users(output)
            page_token = output.data["next_page_token"]
            if page_token is None:
                return

    def get(self, user: UserRef) -> User:
        """One user, by id or e-mail address."""
        return user_of(self._connector.invoke("get-user", {"user": ref_of(user)}).data)

    def find(self, users: Iterable[UserRef]) -> _List[Found]:
        """Up to 1,000 users, with one search for all addresses. Each has a result of its own, in the order of the users."""
        output = self._connector.invoke("find-users", {"users": [ref_of(user) for user in users]})
        return [found_of(found) for found in output.data["results"]]

    def suspend(self, user: UserRef, dry_run: bool = False) -> Change:
        """Suspends a user, who can then no longer sign in."""
        return change_of(self._connector.invoke("suspend-user", _change_arguments(user, dry_run)).data)

    def reactivate(self, user: UserRef, dry_run: bool = False) -> Change:
        """Reactivates a suspended user, who can then sign in again."""
        return change_of(self._connector.invoke("reactivate-user", _change_arguments(user, dry_run)).data)

    def test(self) -> Report:
        """Tests settings, credentials and permissions. Nothing is changed."""
        return report_of(self._connector.test().data)

    def describe(self) -> dict[str, Any]:
        """The description of the connector: settings, secrets, actions with their JSON Schemas, and codes of failures."""
        return self._connector.describe()

    def invoke(self, action: str, arguments: Mapping[str, Any] | str = "{}") -> Output:
        """Runs an action by its name, with arguments and result in JSON."""
        return self._connector.invoke(action, arguments)


class AsyncOnePasswordUsers(_Client):
    """The users of a 1Password account, from asyncio. Use one client in each event loop. Cancelling a task ends its action. Every
    method that runs an action raises `OnePasswordUsersError`."""

    _connector: _OwnAsyncConnector

    def _connect(self, **options: Any) -> None:
        self._connector = _OwnAsyncConnector(component_path(), **options)

    async def __aenter__(self: _A) -> _A:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._connector.aclose()

    async def list(self, state: State = None) -> _List[User]:
        """All users, or those in a state. The list is whole, or it is an error."""
        return _users(await self._connector.invoke("list-users", _list_arguments(state)))

    async def iter(self, state: State = None) -> AsyncIterator[User]:
        """All users, or those in a state, page by page: an error may come after the first of them."""
        page_token = None
        while True:
            output = await self._connector.invoke("list-users", _list_arguments(state, _PAGE, page_token))
            for user in _users(output):
                yield user
            page_token = output.data["next_page_token"]
            if page_token is None:
                return

    async def get(self, user: UserRef) -> User:
        """One user, by id or e-mail address."""
        return user_of((await self._connector.invoke("get-user", {"user": ref_of(user)})).data)

    async def find(self, users: Iterable[UserRef]) -> _List[Found]:
        """Up to 1,000 users, with one search for all addresses. Each has a result of its own, in the order of the users."""
        output = await self._connector.invoke("find-users", {"users": [ref_of(user) for user in users]})
        return [found_of(found) for found in output.data["results"]]

    async def suspend(self, user: UserRef, dry_run: bool = False) -> Change:
        """Suspends a user, who can then no longer sign in."""
        return change_of((await self._connector.invoke("suspend-user", _change_arguments(user, dry_run))).data)

    async def reactivate(self, user: UserRef, dry_run: bool = False) -> Change:
        """Reactivates a suspended user, who can then sign in again."""
        return change_of((await self._connector.invoke("reactivate-user", _change_arguments(user, dry_run))).data)

    async def test(self) -> Report:
        """Tests settings, credentials and permissions. Nothing is changed."""
        return report_of((await self._connector.test()).data)

    def describe(self) -> dict[str, Any]:
        """The description of the connector: settings, secrets, actions with their JSON Schemas, and codes of failures."""
        return self._connector.describe()

    async def invoke(self, action: str, arguments: Mapping[str, Any] | str = "{}") -> Output:
        """Runs an action by its name, with arguments and result in JSON."""
        return await self._connector.invoke(action, arguments)
