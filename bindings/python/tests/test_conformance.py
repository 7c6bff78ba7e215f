"""Every case of the conformance kit, through both drivers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import conformance
import pytest
from conftest import start

CASES = Path(__file__).parents[3] / "steps/conformance/cases"
NAMES = [case["name"] for path in sorted(CASES.glob("*.json")) for case in json.loads(path.read_text("utf-8"))["cases"]]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[tuple[str, bool], Future[dict[str, Any]]]]:
    """Runs all cases, eight at a time."""
    handler = conformance.ListHandler()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    with start("ONEPASSWORD_USERS_CONFORMANCE") as process, ThreadPoolExecutor(8) as executor:
        assert process.stdout is not None
        control = process.stdout.readline().strip()
        assert {case["name"] for case in conformance.call(f"{control}/cases")["cases"]} == set(NAMES)
        yield {
            (name, is_async): executor.submit(conformance.run_case, control, name, is_async, handler.lines)
            for is_async in (False, True)
            for name in NAMES
        }
        process.terminate()
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", NAMES)
def test_case(verdicts: dict[tuple[str, bool], Future[dict[str, Any]]], name: str, is_async: bool) -> None:
    verdict = verdicts[name, is_async].result()
    assert verdict["passed"], verdict["problems"]
