"""The typed clients on a simulated account."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import WENDY

import onepassword_users as op


def test_reading(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**account) as users:
        wendy = users.get(WENDY)
        assert wendy.display_name == "Wendy Appleseed"
        assert wendy.state is op.UserState.ACTIVE
        assert wendy.create_time == datetime(2024, 6, 5, 1, 32, 17, tzinfo=timezone.utc)
        assert users.get(wendy) == users.get(wendy.id) == users.get({"id": wendy.id, "email": wendy.email}) == wendy
        everybody = users.list()
        assert len(everybody) == 2500
        suspended = users.list(op.UserState.SUSPENDED)
        assert list(users.iter("suspended")) == suspended
        assert list(users.iter()) == everybody
        assert users.invoke("get-user", {"user": WENDY}).data == wendy.to_dict()
        assert users.describe()["name"] == "onepassword-users"
        report = users.test()
        assert report.ok
        assert report.to_dict()["checks"][0] == {"check": "settings", "result": "complete"}


def test_changes(account: dict[str, Any]) -> None:
    audit: list[str] = []
    with op.OnePasswordUsers(**account, audit=audit.append) as users:
        user = users.list("active")[100]
        assert users.suspend(user, dry_run=True).outcome is op.Outcome.WOULD_CHANGE
        assert audit == []
        change = users.suspend(user)
        assert change.outcome is op.Outcome.CHANGED
        assert change.user.state is op.UserState.SUSPENDED
        assert users.suspend(user).outcome is op.Outcome.UNCHANGED
        assert users.reactivate(user).to_dict()["outcome"] == "changed"
        assert audit == [user.id, user.id]


def test_a_change_whose_audit_fails_is_not_sent(account: dict[str, Any]) -> None:
    def audit(_: str) -> None:
        raise OSError("disk full")

    with op.OnePasswordUsers(**account, audit=audit) as users:
        with pytest.raises(op.OnePasswordUsersError):
            users.suspend(WENDY)
        assert users.get(WENDY).state is op.UserState.ACTIVE


def test_find(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**account) as users:
        found, missing = users.find([WENDY, "nobody@example.com"])
        assert found.user is not None
        assert found.user.email == WENDY
        assert found.error is None
        assert missing.user is None
        assert isinstance(missing.error, op.UserNotFoundError)
        assert missing.to_dict()["error"]["code"] == "user-not-found"


def test_asyncio(account: dict[str, Any]) -> None:
    async def work() -> None:
        async with op.AsyncOnePasswordUsers(**account) as users:
            wendy = await users.get(WENDY)
            same = await asyncio.gather(*[users.get(wendy.id) for _ in range(20)])
            assert set(same) == {wendy}
            everybody = await users.list()
            assert [user async for user in users.iter()] == everybody
            assert (await users.suspend(wendy, dry_run=True)).outcome is op.Outcome.WOULD_CHANGE
            assert (await users.reactivate(wendy)).outcome is op.Outcome.UNCHANGED
            assert (await users.test()).ok
            assert (await users.find([WENDY]))[0].user == wendy
            assert (await users.invoke("get-user", {"user": WENDY})).changed is False
            assert users.describe()["settings"]
            with pytest.raises(op.UserNotFoundError):
                await users.get("nobody@example.com")

    asyncio.run(work())


def test_errors(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**account) as users:
        with pytest.raises(op.UserNotFoundError) as caught:
            users.get("nobody@example.com")
        error = caught.value
        assert (error.code, error.failure_class, error.retryable, error.may_have_changed) == (
            "user-not-found",
            "absent",
            False,
            False,
        )
        assert error.remedy in str(error)
        assert (error.retry_after, error.user_id, error.service) == (None, None, None)
        assert error.to_dict() == pickle.loads(pickle.dumps(error)).to_dict()
        with pytest.raises(op.InvalidArgumentError) as invalid:
            users.invoke("get-user", "{}")
        assert invalid.value.subject == op.Subject("argument", "user")
    with pytest.raises(op.UnauthenticatedError) as refused, op.OnePasswordUsers(**(account | {"client_secret": "x"})) as users:
        users.get(WENDY)
    assert refused.value.service is not None
    assert refused.value.service.status == 401
    with pytest.raises(op.UnavailableError), op.OnePasswordUsers(**(account | _closed_port()), max_attempts=1) as users:
        users.get(WENDY)
    with pytest.raises(RuntimeError):
        users.get(WENDY)


def _closed_port() -> dict[str, Any]:
    return {"base_url": "http://127.0.0.1:9", "allowed_origins": ["http://127.0.0.1:9"]}


def test_every_code_has_an_exception(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**account) as users:
        codes = {code["code"] for code in users.describe()["codes"]}
    codes |= {"invalid-argument", "misconfigured", "unauthenticated", "permission-denied", "rate-limited", "unavailable"}
    codes |= {"invalid-response", "intermediary", "host-failed", "other"}
    members = ["class", "message", "remedy", "retryable", "retry_after", "may_have_changed", "subject", "user_id", "service"]
    failure: dict[str, Any] = {**dict.fromkeys(members), "candidates": [], "more_candidates": False}
    for code in codes:
        error = op.OnePasswordUsersError.from_failure({**failure, "code": code})
        assert type(error).__name__ == "".join(word.title() for word in code.split("-")) + "Error"
    assert type(op.OnePasswordUsersError.from_failure({**failure, "code": "something-new"})) is op.OnePasswordUsersError


def test_an_origin_that_is_not_allowed_gets_nothing(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**(account | {"allowed_origins": []})) as users, pytest.raises(op.MisconfiguredError) as caught:
        users.get(WENDY)
    assert "allowed_origins" in str(caught.value)
    for origin in ("ftp://example.com", "https://user@example.com", "example.com"):
        with pytest.raises(ValueError, match="origin"):
            op.OnePasswordUsers(**(account | {"allowed_origins": [origin]}))
    with pytest.raises(TypeError):
        op.OnePasswordUsers(**(account | {"allowed_origins": "https://example.com"}))


def test_threads_share_a_client(account: dict[str, Any]) -> None:
    problems: list[BaseException] = []
    with op.OnePasswordUsers(**account) as users:

        def work() -> None:
            try:
                for _ in range(10):
                    assert users.get(WENDY).email == WENDY
            except BaseException as problem:
                problems.append(problem)

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert problems == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_process_has_connections_of_its_own(account: dict[str, Any]) -> None:
    with op.OnePasswordUsers(**account) as users:
        users.get(WENDY)
        child = os.fork()
        if child == 0:
            try:
                status = 0 if users.get(WENDY).email == WENDY else 1
            except BaseException:
                status = 2
            os._exit(status)
        assert users.get(WENDY).email == WENDY
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_types_tolerate_news() -> None:
    json = {
        "id": "A",
        "email": "",
        "display_name": "",
        "state": "in-recovery",
        "service_state": "RECOVERY",
        "create_time": "2026-01-02T03:04:05.123456789+01:30",
        "path": "",
    }
    from onepassword_users._types import user_of

    user = user_of(json)
    assert str(user.state) == "in-recovery"
    assert user.state == "in-recovery"
    assert user.to_dict() == json
    assert user.create_time is not None
    assert user.create_time.isoformat() == "2026-01-02T03:04:05.123456+01:30"
    assert user_of({**json, "create_time": "yesterday"}).create_time is None
    assert user_of({**json, "create_time": "2026-13-02T03:04:05Z"}).create_time is None
    assert pickle.loads(pickle.dumps(user)) == user
    with pytest.raises(AttributeError):
        user.id = "B"  # type: ignore[misc]


def test_the_generic_connector(account: dict[str, Any]) -> None:
    secrets = {"client-id": account["client_id"], "client-secret": lambda: account["client_secret"]}
    settings = {"account-id": account["account_id"], "base-url": account["base_url"]}
    allowed = account["allowed_origins"]
    with op.Connector(op.component_path(), settings=settings, secrets=secrets, allowed_origins=allowed) as connector:
        assert connector.invoke("get-user", {"user": WENDY}).data["email"] == WENDY
        assert connector.test().data["ok"]
        with pytest.raises(op.ConnectorError) as caught:
            connector.invoke("nothing")
        assert caught.value.code == "invalid-argument"
    with pytest.raises(ValueError, match="not a component"):
        op.Connector(b"no component", cache_dir=False)


def test_nothing_is_printed_by_default(account: dict[str, Any]) -> None:
    code = f"import onepassword_users as op\nwith op.OnePasswordUsers(**{account!r}) as users: users.get({WENDY!r})"
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == ""
