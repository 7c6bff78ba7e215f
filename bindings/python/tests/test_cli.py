"""The command line, against the one of the repository: the same JSON and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from conftest import WENDY

COMMANDS = [
    ["list-users", "--limit", "3"],
    ["list-users", "--state", "suspended"],
    ["list-users", "--page-token", "nonsense"],
    ["get-user", WENDY],
    ["get-user", "nobody@example.com"],
    ["suspend-user", "--dry-run", WENDY],
    ["suspend-user", "--dry-run", "nobody@example.com", WENDY],
    ["suspend-user", "--dry-run", "nobody@example.com", "Wendy <x@example.com>"],
    ["reactivate-user", WENDY],
    ["reactivate-user", "--", "--dry-run"],
    ["test"],
    ["describe"],
    ["invoke", "get-user", "--arguments", json.dumps({"user": WENDY})],
    ["invoke", "suspend-user", "--arguments", json.dumps({"user": WENDY, "dry_run": True})],
    ["invoke", "nothing"],
]


def run(program: list[str], arguments: list[str], variables: dict[str, str]) -> tuple[int, str]:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [*program, *arguments], env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("asked", [True, False], ids=["json", "default"])
def test_the_same_as_the_command_line(command: list[str], asked: bool, variables: dict[str, str]) -> None:
    arguments = [command[0], *(["--output", "json"] if asked else []), *command[1:]]
    code, output = run([sys.executable, "-m", "onepassword_users"], arguments, variables)
    expected_code, expected = run([os.environ["ONEPASSWORD_USERS_COMMAND_LINE"]], arguments, variables)
    assert code == expected_code
    assert bool(output) == bool(expected)
    if output:
        assert json.loads(output) == json.loads(expected)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["suspend-user"], 2),
        (["suspend-user", WENDY, "--yes"], 2),
        (["nothing"], 2),
        (["get-user"], 2),
        (["get-user", "--outp", "json", WENDY], 2),
        (["--ca-file", "/nonexistent", "get-user", WENDY], 3),
    ],
)
def test_usage(arguments: list[str], code: int, variables: dict[str, str]) -> None:
    assert run([sys.executable, "-m", "onepassword_users"], arguments, variables) == (code, "")


def test_without_credentials(variables: dict[str, str]) -> None:
    assert run([sys.executable, "-m", "onepassword_users"], ["list-users"], {})[0] == 3
