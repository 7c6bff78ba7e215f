"""The simulated account and the conformance server, which run beside the tests. The variables ONEPASSWORD_USERS_COMMAND_LINE and
ONEPASSWORD_USERS_CONFORMANCE name the programs: see `check`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

WENDY = "wendy.appleseed@example.com"


def start(variable: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a program of the repository."""
    program = os.environ.get(variable)
    if not program:
        pytest.fail(f"{variable} is not set: run bindings/python/check", pytrace=False)
    return subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="session")
def variables() -> Iterator[dict[str, str]]:
    """The variables of a simulated account."""
    with start("ONEPASSWORD_USERS_COMMAND_LINE", "simulate") as process:
        assert process.stdout is not None
        lines = "".join(process.stdout.readline() for _ in range(6))
        yield dict(re.findall(r"export (\w+)=(\S+)", lines))
        process.terminate()


@pytest.fixture
def account(variables: dict[str, str]) -> dict[str, Any]:
    """The options of a client for the simulated account."""
    return {
        "account_id": variables["ONEPASSWORD_ACCOUNT_ID"],
        "client_id": variables["ONEPASSWORD_CLIENT_ID"],
        "client_secret": variables["ONEPASSWORD_CLIENT_SECRET"],
        "base_url": variables["ONEPASSWORD_BASE_URL"],
        "allowed_origins": [variables["ONEPASSWORD_BASE_URL"]],
    }


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        settings = name.startswith("ONEPASSWORD_") and not name.startswith("ONEPASSWORD_USERS_")
        if settings or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
