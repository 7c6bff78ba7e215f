"""The component in its sandbox: loading, the cache of compiled code, and instances."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import component as wc

from ._types_once import resolved_func

STEPS = "automation:connector/steps@0.1.0"
MANIFEST = "automation:connector/manifest@0.1.0"

_MAX_MEMORY = 512 * 1024 * 1024
# The longest computation between two steps, in ticks of a second. Reading a page of 1,000 users takes some 10 ms.
_MAX_STEP_TICKS = 11


class TrapError(Exception):
    """The component trapped, or the instance cannot be used for another reason."""


class Event(wc.Variant):
    """The answer to a step. Its representation does not show values."""

    def __repr__(self) -> str:
        return f"Event({self.tag!r})"


class Record(wc.Record):
    """A record of the contract, from members whose names have underscores here."""

    def __init__(self, **members: Any) -> None:
        for name, value in members.items():
            setattr(self, name.replace("_", "-"), value)

    def __repr__(self) -> str:
        return "Record(…)"


class Component:
    """A compiled component, which instances are made from."""

    def __init__(self, code: bytes, cache_dir: Path | None) -> None:
        config = wasmtime.Config()
        config.epoch_interruption = True
        self._engine = wasmtime.Engine(config)
        self._component = _load(self._engine, code, cache_dir)
        self._linker = wc.Linker(self._engine)
        self._ticker: threading.Thread | None = None
        self._ticker_pid = 0
        self._lock = threading.Lock()

    def instance(self) -> Instance:
        """A new instance, with a session of its own."""
        with self._lock:
            # A child process has no threads of its parent.
            if self._ticker is None or self._ticker_pid != os.getpid():
                self._ticker_pid = os.getpid()
                self._ticker = threading.Thread(target=self._tick, name="onepassword-users-epochs", daemon=True)
                self._ticker.start()
        return Instance(self._engine, self._linker, self._component)

    def _tick(self) -> None:
        while True:
            time.sleep(1)
            self._engine.increment_epoch()


class Instance:
    """An instance with one session. Its actions may overlap: a lock is held while one of them computes a step."""

    def __init__(self, engine: wasmtime.Engine, linker: wc.Linker, component: wc.Component) -> None:
        self._lock = threading.Lock()
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=_MAX_MEMORY)
        self._store.set_epoch_deadline(_MAX_STEP_TICKS)
        try:
            instance = linker.instantiate(self._store, component)
        except wasmtime.WasmtimeError as error:
            raise ValueError(f"not a component of steps without imports: {_first_line(error)}") from None

        def func(interface: str, name: str) -> wc.Func:
            outer = instance.get_export_index(self._store, interface)
            index = instance.get_export_index(self._store, name, outer) if outer else None
            found = instance.get_func(self._store, index) if index else None
            if found is None:
                raise ValueError(f"the component does not export {name} of {interface}")
            return resolved_func(found, self._store)

        self._describe = func(MANIFEST, "describe")
        self._begin = func(STEPS, "[method]session.begin")
        self._begin_test = func(STEPS, "[method]session.begin-test")
        self._step = func(STEPS, "[method]action.step")
        self.is_usable = True
        self.pid = os.getpid()
        # The number of steps so far, without those that wait for another action: these wait for a change of it.
        self.progress = 0
        self._session = self._call(func(STEPS, "[constructor]session"))

    def _call(self, function: wc.Func, *arguments: Any) -> Any:
        with self._lock:
            if not self.is_usable:
                raise TrapError("the instance of this action was ended by another one")
            self._store.set_epoch_deadline(_MAX_STEP_TICKS)
            try:
                return function(self._store, *arguments)
            except wasmtime.WasmtimeError as error:
                self.is_usable = False
                reason = _first_line(error)
            except BaseException:
                # Such as a KeyboardInterrupt in the middle of a conversion.
                self.is_usable = False
                raise
        raise TrapError(reason)

    def describe(self) -> str:
        """The description of the connector, in JSON."""
        text: str = self._call(self._describe)
        return text

    def begin(self, action: str, arguments: str, settings: list[tuple[str, str]] | None) -> wc.ResourceAny:
        """Begins an action."""
        action_resource: wc.ResourceAny = self._call(self._begin, self._session, action, arguments, settings, _seed())
        return action_resource

    def begin_test(self, settings: list[tuple[str, str]] | None) -> wc.ResourceAny:
        """Begins a test of settings, credentials and permissions."""
        action_resource: wc.ResourceAny = self._call(self._begin_test, self._session, settings, _seed())
        return action_resource

    def step(self, action: wc.ResourceAny, event: Event) -> wc.Variant:
        """Takes an event and returns the next step."""
        step: wc.Variant = self._call(self._step, action, time.monotonic_ns(), event)
        return step

    def drop(self, action: wc.ResourceAny) -> None:
        """Ends an action. An instance that trapped has ended all of them."""
        with self._lock:
            if self.is_usable:
                self._store.set_epoch_deadline(_MAX_STEP_TICKS)
                try:
                    action.drop(self._store)
                except wasmtime.WasmtimeError:
                    self.is_usable = False


def _seed() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    causes = [line for line in lines if "wasm trap" in line] or lines or ["no reason given"]
    return causes[0]


def default_cache_dir() -> Path | None:
    """The folder for compiled code of this user, or None if there is no home folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base, "onepassword-users", "cache") if base else None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return root / "onepassword-users-python"


def _load(engine: wasmtime.Engine, code: bytes, cache_dir: Path | None) -> wc.Component:
    """Compiles the component, or takes its code from the cache. Only a folder that nobody else can write is used, and only
    content whose hash fits: compiled code is run without any check of its own."""
    path = cache_dir / hashlib.sha256(code).hexdigest() if cache_dir else None
    if path:
        cached = _read_private(path)
        if cached and hashlib.sha256(cached[32:]).digest() == cached[:32]:
            # An error means another version of wasmtime, another processor, or other options: then the component is compiled.
            with contextlib.suppress(wasmtime.WasmtimeError):
                return wc.Component.deserialize(engine, cached[32:])
    try:
        component = wc.Component(engine, code)
    except wasmtime.WasmtimeError as error:
        raise ValueError(f"not a component: {_first_line(error)}") from None
    if path:
        native = bytes(component.serialize())
        with contextlib.suppress(OSError):
            _write_private(path, hashlib.sha256(native).digest() + native)
    return component


def _is_private(status: os.stat_result) -> bool:
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _read_private(path: Path) -> bytes | None:
    try:
        folder = os.lstat(path.parent)
        if not stat.S_ISDIR(folder.st_mode) or not _is_private(folder):
            return None
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            status = os.fstat(file.fileno())
            return file.read() if stat.S_ISREG(status.st_mode) and _is_private(status) else None
    except OSError:
        return None


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.lstat(path.parent)
    if not stat.S_ISDIR(folder.st_mode) or not _is_private(folder):
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
