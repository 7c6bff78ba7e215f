"""A runner for the conformance kit, over both drivers."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from onepassword_users import AsyncConnector, Cancelled, CancelToken, Connector, ConnectorError, LookupFailed, component_path


def call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=60) as answer:
        return json.load(answer)


class LookUps:
    """A source of values that fails, sleeps or hangs as the task says."""

    def __init__(self, task: dict[str, Any], values: dict[str, str]) -> None:
        self.task = task
        self.values = values

    def prepare(self, names: Sequence[str]) -> float:
        for name in names:
            failing = self.task["failing_lookups"].get(name)
            if failing:
                raise LookupFailed(failing["message"], denied=failing["kind"] == "denied", name=name)
        if any(name in self.task["hanging_lookups"] for name in names):
            return 3600.0
        return float(sum(self.task["slow_lookups_ms"].get(name, 0) for name in names)) / 1000

    def __call__(self, names: Sequence[str]) -> dict[str, str]:
        time.sleep(self.prepare(names))
        return self.values

    async def later(self, names: Sequence[str]) -> dict[str, str]:
        await asyncio.sleep(self.prepare(names))
        return self.values


def options(task: dict[str, Any], audit: list[str], is_async: bool) -> dict[str, Any]:
    settings, secrets = LookUps(task, task["settings"]), LookUps(task, task["secrets"])
    return {
        "settings_source": settings.later if is_async else settings,
        "vault": secrets.later if is_async else secrets,
        "lookup_timeout": task["lookup_limit_ms"] / 1000,
        "allowed_origins": [task["settings"]["base-url"]] if task["settings"].get("base-url") else [],
        "audit": audit.append,
    }


def done(output: Any) -> dict[str, Any]:
    return {"done": {"output": output.json, "summary": output.summary, "changed": output.changed}}


def run_sync(task: dict[str, Any], audit: list[str]) -> list[Any]:
    with Connector(component_path(), **options(task, audit, False)) as connector:
        outcomes: list[Any] = [None] * len(task["actions"])

        def act(index: int, action: dict[str, Any]) -> None:
            cancel = CancelToken()
            timer = None
            if action["drop_after_ms"] is not None:
                timer = threading.Timer(action["drop_after_ms"] / 1000, cancel.cancel)
                timer.start()
            try:
                if action["action"] == "test":
                    outcomes[index] = done(connector.test(cancel=cancel))
                else:
                    outcomes[index] = done(connector.invoke(action["action"], action["arguments"], cancel=cancel))
            except Cancelled:
                outcomes[index] = "dropped"
            except ConnectorError as error:
                outcomes[index] = {"failed": error.to_dict()}
            finally:
                if timer:
                    timer.cancel()

        threads = [threading.Thread(target=act, args=pair, daemon=True) for pair in enumerate(task["actions"])]
        for thread in threads:
            thread.start()
            if not task["together"]:
                thread.join(30)
        for thread in threads:
            thread.join(30)
        return outcomes


async def run_async(task: dict[str, Any], audit: list[str]) -> list[Any]:
    async with AsyncConnector(component_path(), **options(task, audit, True)) as connector:

        async def act(action: dict[str, Any]) -> Any:
            if action["action"] == "test":
                work = connector.test()
            else:
                work = connector.invoke(action["action"], action["arguments"])
            limit = action["drop_after_ms"]
            try:
                return done(await asyncio.wait_for(work, None if limit is None else limit / 1000))
            except asyncio.TimeoutError:
                return "dropped"
            except ConnectorError as error:
                return {"failed": error.to_dict()}

        if task["together"]:
            return list(await asyncio.gather(*[act(action) for action in task["actions"]]))
        return [await act(action) for action in task["actions"]]


def run_case(control: str, name: str, is_async: bool, log: list[str]) -> dict[str, Any]:
    audit: list[str] = []
    task = call(f"{control}/cases/{name}", {})
    outcomes = asyncio.run(run_async(task, audit)) if is_async else run_sync(task, audit)
    report = {"outcomes": outcomes, "log": "\n".join(log), "audit": audit}
    verdict: dict[str, Any] = call(f"{control}/runs/{task['run']}", report)
    return verdict


class ListHandler(logging.Handler):
    """Keeps every record of all loggers."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
