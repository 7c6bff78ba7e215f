"""Settings and secrets from the environment and from callables, and their secrecy."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import WENDY

import onepassword_users as op


def set_variables(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return [variables["ONEPASSWORD_BASE_URL"]]


def test_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tmp_path: Path) -> None:
    allowed = set_variables(monkeypatch, variables)
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xef\xbb\xbf" + variables["ONEPASSWORD_CLIENT_SECRET"].encode() + b"\r\n")
    with op.OnePasswordUsers(allowed_origins=allowed) as users:
        assert users.get(WENDY).email == WENDY
    monkeypatch.delenv("ONEPASSWORD_CLIENT_SECRET")
    monkeypatch.setenv("ONEPASSWORD_CLIENT_SECRET_FILE", str(secret))
    with op.OnePasswordUsers(allowed_origins=allowed) as users:
        assert users.get(WENDY).email == WENDY
    monkeypatch.setenv("ONEPASSWORD_CLIENT_SECRET_FILE", str(tmp_path / "missing"))
    with op.OnePasswordUsers(allowed_origins=allowed) as users, pytest.raises(op.OnePasswordUsersError) as caught:
        users.get(WENDY)
    assert caught.value.subject == op.Subject("secret", "client-secret")
    with op.OnePasswordUsers(allowed_origins=allowed, environment=False) as users, pytest.raises(op.MisconfiguredError):
        users.get(WENDY)


def test_callables(account: dict[str, Any]) -> None:
    secret = account.pop("client_secret")

    async def later() -> str:
        await asyncio.sleep(0)
        return str(secret)

    def vault(names: Sequence[str]) -> dict[str, str | None]:
        return {"client-secret": secret, "access-token": None}

    async def vault_later(names: Sequence[str]) -> dict[str, str | None]:
        await asyncio.sleep(0)
        return vault(names)

    async def use(options: dict[str, Any]) -> None:
        async with op.AsyncOnePasswordUsers(**account, **options) as users:
            assert (await users.get(WENDY)).email == WENDY

    choices: list[dict[str, Any]] = [
        {"client_secret": lambda: secret},
        {"client_secret": later},
        {"vault": vault},
        {"vault": vault_later},
    ]
    for options in choices:
        with op.OnePasswordUsers(**account, **options) as users:
            assert users.get(WENDY).email == WENDY
        asyncio.run(use(options))


def test_callables_that_fail(account: dict[str, Any]) -> None:
    def raising(error: Exception) -> Any:
        def function() -> str:
            raise error

        return function

    def failure(function: Any) -> op.OnePasswordUsersError:
        options = account | {"client_secret": function, "lookup_timeout": 0.2, "max_attempts": 1}
        with op.OnePasswordUsers(**options) as users, pytest.raises(op.OnePasswordUsersError) as caught:
            users.get(WENDY)

        async def use() -> op.OnePasswordUsersError:
            async with op.AsyncOnePasswordUsers(**options) as users:
                with pytest.raises(op.OnePasswordUsersError) as caught:
                    await users.get(WENDY)
            return caught.value

        assert asyncio.run(use()).to_dict() == caught.value.to_dict()
        return caught.value

    assert "locked" in str(failure(raising(op.LookupFailed("the vault is locked"))))
    assert "denied" in str(failure(raising(op.LookupFailed("denied by policy", denied=True))))
    unknown = failure(raising(ValueError("canary-value")))
    assert "ValueError" in str(unknown)
    assert "canary" not in str(unknown)
    started = time.monotonic()
    assert "too long" in str(failure(lambda: time.sleep(30)))
    assert time.monotonic() - started < 10
    failure(lambda: 5)


@pytest.fixture
def canary(account: dict[str, Any]) -> dict[str, Any]:
    return account | {"client_secret": "canary-secret", "access_token": None}


def test_secrets_do_not_show(canary: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    caplog.set_level(logging.NOTSET, logger="onepassword_users")
    users = op.OnePasswordUsers(**canary)
    assert "canary" not in repr(users) + repr(users._connector) + repr(users._connector._secrets)
    for action in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            action(users)
    with pytest.raises(op.UnauthenticatedError) as caught:
        users.get(WENDY)
    own = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in own.stack if "onepassword_users" in frame.filename]
    assert frames
    assert "canary" not in "".join(str(frame.locals) for frame in frames) + str(own)
    assert "canary" not in caplog.text
    assert "POST /v1/oauth/token: 401" in caplog.text
    with pytest.raises(ValueError, match="proxy") as invalid:
        op.OnePasswordUsers(**canary, proxy="socks5://me:canary-password@proxy:1")
    own = traceback.TracebackException.from_exception(invalid.value, capture_locals=True)
    frames = [frame for frame in own.stack if "onepassword_users" in frame.filename]
    assert frames
    assert "canary" not in "".join(str(frame.locals) for frame in frames)
    assert "canary" not in str(invalid.value)


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    from onepassword_users._http import Network
    from onepassword_users._sources import Secret

    service = "https://api.1password.com/v1"
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy:3128")
    assert Network(None, None, True, []).proxy_for(service) == "http://me:secret@proxy:3128"
    assert Network(Secret("none"), None, True, []).proxy_for(service) is None
    assert Network(None, None, True, []).proxy_for("https://127.0.0.1/") is None
    monkeypatch.setenv("no_proxy", "1password.com")
    assert Network(None, None, True, []).proxy_for(service) is None
    assert Network(Secret("http://other:1"), None, True, []).proxy_for(service) == "http://other:1"
