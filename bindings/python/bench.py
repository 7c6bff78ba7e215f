"""Times the client against httpx and httpcore used raw, on a simulated account, in one run.

Usage: bench.py SIMULATOR, with the path of the program ``onepassword-users``. Needs httpx."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpcore
import httpx

from onepassword_users import OnePasswordUsers

RAW = """
import os, httpx
base, account = os.environ["ONEPASSWORD_BASE_URL"], os.environ["ONEPASSWORD_ACCOUNT_ID"]
auth = (os.environ["ONEPASSWORD_CLIENT_ID"], os.environ["ONEPASSWORD_CLIENT_SECRET"])
with httpx.Client(trust_env=False) as client:
    answer = client.post(f"{base}/v1/oauth/token", auth=auth, data={"grant_type": "client_credentials"})
    token = answer.json()["access_token"]
    url = f"{base}/v1/accounts/{account}/users/CECVP4FQBNIIODOC7DDCOVMELY"
    assert client.get(url, headers={"authorization": f"Bearer {token}"}).json()["id"]
"""
OURS = """
import onepassword_users, os
with onepassword_users.OnePasswordUsers(allowed_origins=[os.environ["ONEPASSWORD_BASE_URL"]]) as client:
    assert client.get("CECVP4FQBNIIODOC7DDCOVMELY").id
"""


def best(rounds: int, *works: Callable[[], Any]) -> list[float]:
    """The median of each in milliseconds, taken in turns."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            taken.append((time.perf_counter() - started) * 1000)
    return [statistics.median(taken) for taken in times]


def show(name: str, ours: float, **others: float) -> None:
    """Prints a row."""
    text = ", ".join(f"{other} {taken:.2f} ms (ratio {ours / taken:.2f})" for other, taken in others.items())
    print(f"{name}: onepassword-users {ours:.2f} ms, {text}")


def main() -> None:
    """Runs all."""
    simulator = subprocess.Popen([sys.argv[1], "simulate"], stdout=subprocess.PIPE, text=True)
    assert simulator.stdout
    try:
        lines = [simulator.stdout.readline() for _ in range(6)]
        variables = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
        os.environ.update(variables)
        base, account = variables["ONEPASSWORD_BASE_URL"], variables["ONEPASSWORD_ACCOUNT_ID"]
        raw = httpx.Client(trust_env=False)
        auth = (variables["ONEPASSWORD_CLIENT_ID"], variables["ONEPASSWORD_CLIENT_SECRET"])
        answer = raw.post(f"{base}/v1/oauth/token", auth=auth, data={"grant_type": "client_credentials"})
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        users = f"{base}/v1/accounts/{account}/users"
        one = f"{users}/CECVP4FQBNIIODOC7DDCOVMELY"
        pool = httpcore.ConnectionPool()

        def raw_list() -> list[Any]:
            found: list[Any] = []
            page_token = ""
            while True:
                suffix = f"&page_token={page_token}" if page_token else ""
                page = raw.get(f"{users}?max_page_size=1000{suffix}", headers=headers).json()
                found += page["results"]
                page_token = page.get("next_page_token")
                if not page_token:
                    assert len(found) == 2500, len(found)
                    return found

        with OnePasswordUsers(allowed_origins=[base]) as client:
            client.get("CECVP4FQBNIIODOC7DDCOVMELY")
            ours, plain, core = best(
                300,
                lambda: client.get("CECVP4FQBNIIODOC7DDCOVMELY"),
                lambda: raw.get(one, headers=headers).json(),
                lambda: json.loads(pool.request("GET", one, headers=list(headers.items())).content),
            )
            show("warm get", ours, httpx=plain, httpcore=core)
            ours, plain = best(15, client.list, raw_list)
            show("2,500 users", ours, httpx=plain)

        def process(code: str) -> Callable[[], Any]:
            return lambda: subprocess.run([sys.executable, "-c", code], check=True)

        ours, plain = best(9, process(OURS), process(RAW))
        show("one get from the start of the process", ours, httpx=plain)
    finally:
        simulator.terminate()


if __name__ == "__main__":
    main()
