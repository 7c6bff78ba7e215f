"""The first example of the README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_example_runs(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    assert len(example.splitlines()) <= 10
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    example = example.replace("OnePasswordUsers()", f"OnePasswordUsers(allowed_origins=[{variables['ONEPASSWORD_BASE_URL']!r}])")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "would-change" in done.stdout
