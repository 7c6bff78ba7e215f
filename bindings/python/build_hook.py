"""Puts the component into the wheel. Cargo builds it; ONEPASSWORD_USERS_COMPONENT names one that was built elsewhere."""

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
REPOSITORY = ROOT.parent.parent
PACKAGED = "onepassword_users/component.wasm"
CARGO = ["cargo", "build", "--locked", "--quiet", "--package", "onepassword-users-steps"]
CARGO += ["--target", "wasm32-wasip2", "--profile", "guest"]


def component() -> Path:
    """The path of the built component."""
    given = os.environ.get("ONEPASSWORD_USERS_COMPONENT")
    if given:
        return Path(given).resolve()
    subprocess.run(CARGO, cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return REPOSITORY / target / "wasm32-wasip2/guest/onepassword_users_steps.wasm"


class ComponentHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the component to a wheel; an editable installation gets it in the source folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by the build."""
        path = component()
        if version == "editable":
            (ROOT / "src" / PACKAGED).write_bytes(path.read_bytes())
        else:
            build_data["force_include"][str(path)] = PACKAGED
        for name in ("LICENSE-APACHE", "LICENSE-MIT"):
            build_data["force_include"][str(REPOSITORY / name)] = f"onepassword_users/{name}"
