"""The command line: ``python -m onepassword_users``. Commands, JSON and exit codes are those of ``onepassword-users``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from . import ConnectorError, OnePasswordUsers, Outcome

_EXIT_CODES = {
    "other": 1,
    "too-many-users": 1,
    "invalid-argument": 2,
    "page-token-refused": 2,
    "misconfigured": 3,
    "unauthenticated": 4,
    "permission-denied": 5,
    "user-not-found": 6,
    "ambiguous-user": 7,
    "address-mismatch": 7,
    "last-owner": 8,
    "externally-managed": 8,
    "protected-user": 8,
    "rate-limited": 9,
    "unavailable": 10,
    "invalid-response": 11,
    "endless-list": 11,
    "intermediary": 11,
    "host-failed": 13,
}
_EXIT_CODES_OF_CLASSES = {"caller": 2, "settings": 3, "credentials": 4, "absent": 6, "retry": 10, "untrusted": 11, "host": 13}
_USAGE, _NOT_CONFIRMED, _WOULD_CHANGE, _INTERRUPTED = 2, 12, 20, 130
_CHANGES = ("suspend-user", "reactivate-user")
# Names of settings and secrets in messages, which have the names of variables here.
_NAMES = re.compile(
    r"(?<![\w-])(base-url|account-id|protected-users|api-version|max-attempts|user-agent|client-id|client-secret|access-token)(?![\w-])"
)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m onepassword_users",
        description="List, get, suspend and reactivate 1Password users.",
        epilog="Settings and secrets are read from the environment: ONEPASSWORD_ACCOUNT_ID, ONEPASSWORD_CLIENT_ID, "
        "ONEPASSWORD_CLIENT_SECRET, ONEPASSWORD_BASE_URL and others; NAME_FILE names a file with the value. "
        "Results are JSON. The exit code tells the kind of error: see the manual of onepassword-users.",
    )
    parser.add_argument("--base-url", help="base URL of the service")
    parser.add_argument("--account", help="account id")
    parser.add_argument("--proxy", help="none, env (the default), or http://host:port")
    parser.add_argument("--ca-file", help="PEM file of CA certificates to trust in addition to the system's")
    parser.add_argument("--insecure", action="store_true", help="accept any TLS certificate: for tests only")
    parser.add_argument("-v", "--verbose", action="store_true", help="log to standard error")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("-o", "--output", choices=["json"], help="with json, a failure is a JSON document as well")
        return added

    listing = command("list-users", "list the users of the account")
    listing.add_argument("--state", choices=["active", "suspended"])
    listing.add_argument("--limit", type=int)
    listing.add_argument("--page-token")
    command("get-user", "show one user").add_argument("user")
    for name, text in zip(_CHANGES, ("suspend users", "reactivate suspended users"), strict=True):
        change = command(name, text)
        change.add_argument("--dry-run", action="store_true", help="show the result without making the change")
        if name == "suspend-user":
            change.add_argument("-y", "--yes", action="store_true", help="do not ask for confirmation")
        change.usage = f"python -m onepassword_users {name} [OPTION]... [--] USER..."
    command("test", "check settings, credentials and the permission to list users")
    command("describe", "describe the connector")
    invoke = command("invoke", "run an action by its name")
    invoke.add_argument("action")
    invoke.add_argument("--arguments", default="{}", help="a JSON object")
    return parser


def _split_users(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Everything after the first user of a change is a user, so that a text from an alert is no option."""
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        place += 2 if arguments[place] in ("--base-url", "--account", "--proxy", "--ca-file") else 1
    if place >= len(arguments) or arguments[place] not in _CHANGES:
        return list(arguments), []
    index = place + 1
    while index < len(arguments) and arguments[index].startswith("-"):
        if arguments[index] == "--":
            return list(arguments[:index]), list(arguments[index + 1 :])
        index += 2 if arguments[index] in ("-o", "--output") else 1
    users = list(arguments[index:])
    if any(user.startswith("-") for user in users):
        raise ValueError("put options before the first user, and -- before users that begin with -")
    return list(arguments[:index]), users


def _origins(base_url: str | None) -> list[str]:
    """The operator decides: the origin that they set is allowed."""
    if not base_url:
        return []
    text = base_url.strip()
    match = re.match(r"(?:(https?)://)?([^/?#@]+)", text)
    return [f"{match[1] or 'https'}://{match[2]}"] if match else []


def _respelled(error: ConnectorError) -> dict[str, Any]:
    def variable(match: re.Match[str]) -> str:
        return "ONEPASSWORD_" + match[1].upper().replace("-", "_")

    failure = error.to_dict()
    for name in ("message", "remedy"):
        failure[name] = _NAMES.sub(variable, failure[name])
    subject = failure["subject"]
    if subject and subject["kind"] == "argument" and subject["name"] in ("page_token", "limit", "state"):
        option = "--" + subject["name"].replace("_", "-")
        failure["message"] = failure["message"].replace(f"argument {subject['name']} ", f"argument {option} ")
        failure["subject"] = subject | {"name": option}
    elif subject and subject["kind"] != "argument":
        failure["subject"] = subject | {"name": "ONEPASSWORD_" + subject["name"].upper().replace("-", "_")}
    return failure


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _message(text: str) -> None:
    print(_printable(text), file=sys.stderr)


def _print(document: Any) -> None:
    # Escaped, so that no text of the service can move the cursor, in whatever encoding standard output has.
    print(json.dumps(document, indent=2, ensure_ascii=not _is_utf8()))


def _is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") == "utf8" and not sys.stdout.isatty()


def _confirmed(users: Sequence[str]) -> bool:
    _message(f"Suspend {', '.join(users)}?")
    sys.stderr.write("Type yes to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _change(client: OnePasswordUsers, options: argparse.Namespace, users: Sequence[str]) -> int:
    suspends = options.command == "suspend-user"
    if suspends and not options.yes and not options.dry_run and sys.stdin.isatty() and not _confirmed(users):
        _message("error: not confirmed; nothing was changed")
        return _NOT_CONFIRMED
    change = client.suspend if suspends else client.reactivate
    results: list[dict[str, Any]] = []
    codes: set[int] = set()
    would_change, rest = False, list(users)
    interrupted = False
    try:
        while rest:
            user = rest[0]
            try:
                result = change(user, dry_run=options.dry_run)
                would_change |= result.outcome is Outcome.WOULD_CHANGE
                results.append({"input": user, **result.to_dict()})
            except ConnectorError as error:
                failure = _respelled(error)
                results.append({"input": user, "error": failure})
                codes.add(_exit_code(error))
                _message(f"error: {user}: {failure['message']}. {failure['remedy']}")
            rest.pop(0)
    except KeyboardInterrupt:
        interrupted = True
    _print({"simulated": False, "results": results, "not_processed": rest})
    if interrupted:
        return _INTERRUPTED
    if codes:
        return codes.pop() if len(codes) == 1 else 1
    return _WOULD_CHANGE if would_change else 0


def _exit_code(error: ConnectorError) -> int:
    return _EXIT_CODES.get(error.code) or _EXIT_CODES_OF_CLASSES.get(error.failure_class, 1)


def _run(client: OnePasswordUsers, options: argparse.Namespace, users: Sequence[str]) -> int:
    if options.command in _CHANGES:
        return _change(client, options, users)
    document: dict[str, Any] = {"simulated": False}
    would_change = False
    if options.command == "list-users":
        arguments = {"state": options.state, "limit": options.limit, "page_token": options.page_token}
        document |= client.invoke("list-users", arguments).data
    elif options.command == "get-user":
        document["user"] = client.get(options.user).to_dict()
    elif options.command == "test":
        document |= client.test().to_dict()
    elif options.command == "describe":
        document = client.describe()
    else:
        output = client.invoke(options.action, options.arguments)
        document |= {"changed": output.changed, "summary": output.summary, "result": output.data}
        would_change = isinstance(output.data, dict) and output.data.get("outcome") == Outcome.WOULD_CHANGE.value
    _print(document)
    return _WOULD_CHANGE if would_change else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and returns its exit code."""
    try:
        own, users = _split_users(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        _message(f"error: {error}")
        return _USAGE
    options = _parser().parse_args(own)
    if options.command in _CHANGES and not users:
        _message("error: no user was given")
        return _USAGE
    if options.verbose:
        logging.basicConfig(format="%(levelname)s %(message)s")
        logging.getLogger("onepassword_users").setLevel(logging.DEBUG)
    if options.insecure:
        _message("warning: TLS certificates are not verified; anyone on the network path can read the credentials.")
    try:
        client = OnePasswordUsers(
            base_url=options.base_url,
            account_id=options.account,
            proxy=options.proxy,
            ca_file=options.ca_file,
            verify=not options.insecure,
            allowed_origins=_origins(options.base_url or os.environ.get("ONEPASSWORD_BASE_URL")),
        )
    except (ValueError, OSError) as error:
        _message(f"error: {error}")
        return _EXIT_CODES["misconfigured"]
    try:
        with client:
            return _run(client, options, users)
    except ConnectorError as error:
        failure = _respelled(error)
        _message(f"error: {failure['message']}. {failure['remedy']}")
        if options.output == "json":
            _print({"error": failure})
        return _exit_code(error)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
