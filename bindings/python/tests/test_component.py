"""The cache of compiled code, and instances that trap."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from conftest import WENDY

import onepassword_users as op
from onepassword_users import _component, _driver


@pytest.fixture
def code() -> bytes:
    return op.component_path().read_bytes()


def test_the_cache_is_private_and_checked(code: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    _component.Component(code, folder)
    (entry,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    original = entry.read_bytes()
    started = time.perf_counter()
    _component.Component(code, folder).instance().describe()
    assert time.perf_counter() - started < 0.2
    # One bit is another one: the code is compiled and written again.
    entry.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    _component.Component(code, folder).instance().describe()
    assert entry.read_bytes() == original
    entry.write_bytes(b"")
    _component.Component(code, folder).instance().describe()


def test_a_folder_that_others_can_write_is_not_used(code: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    _component.Component(code, folder)
    assert list(folder.iterdir()) == []
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    _component.Component(code, link)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_after_a_trap_the_next_call_works(account: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with op.OnePasswordUsers(**account) as users:
        users.get(WENDY)
        first = users._connector._warm
        assert first is not None

        def trap(*_: Any) -> Any:
            raise wasmtime.WasmtimeError("wasm trap: unreachable executed")

        monkeypatch.setattr(first, "_step", trap)
        with pytest.raises(op.HostFailedError) as caught:
            users.get(WENDY)
        assert "unreachable" in str(caught.value)
        assert not caught.value.may_have_changed
        assert users.get(WENDY).email == WENDY
        assert users._connector._warm is not first


def test_an_endless_loop_is_ended(tmp_path: Path) -> None:
    engine_code = """
    (component
      (core module $m (func (export "f") (loop br 0)))
      (core instance $i (instantiate $m))
      (func (export "f") (canon lift (core func $i "f"))))
    """
    component = _component.Component(bytes(wasmtime.wat2wasm(engine_code)), None)
    # Not a connector: the engine's own bounds are tested.
    with pytest.raises(ValueError, match="does not export"):
        component.instance()
    store = wasmtime.Store(component._engine)
    store.set_epoch_deadline(1)
    instance = component._linker.instantiate(store, component._component)
    index = instance.get_export_index(store, "f")
    assert index is not None
    function = instance.get_func(store, index)
    assert function is not None
    with pytest.raises(wasmtime.WasmtimeError, match="interrupt"):
        function(store)


def test_a_component_with_imports_is_refused(tmp_path: Path) -> None:
    code = '(component (import "f" (func)))'
    with pytest.raises(ValueError, match="without imports"):
        op.Connector(wasmtime.wat2wasm(code), cache_dir=False)


def test_a_warm_process_starts_quickly() -> None:
    code = "import time; t = time.perf_counter(); import onepassword_users as op; i = time.perf_counter()\n"
    code += "op.OnePasswordUsers(); print((time.perf_counter() - i) * 1000)"
    times = [float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) for _ in range(3)]
    assert min(times) < 200, times


def test_a_long_result_does_not_keep_its_memory(account: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_driver, "_MAX_WARM_RESULT", 100_000)
    with op.OnePasswordUsers(**account) as users:
        users.list()
        assert users._connector._warm is None
        assert users.get(WENDY).email == WENDY
