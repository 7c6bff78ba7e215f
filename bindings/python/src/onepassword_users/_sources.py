"""Settings and secrets: as values, from callables such as a vault, and from the environment."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Union

from . import _machine
from ._component import Event


class Secret:
    """A text that does not show."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "[redacted]"

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled or copied")

    @classmethod
    def of(cls, value: Value) -> Value:
        """The value, wrapped if it is a text."""
        return cls(value) if isinstance(value, str) else value

    @classmethod
    def of_text(cls, text: str | Secret | None) -> Secret | None:
        """The text, wrapped."""
        return cls(text) if isinstance(text, str) else text

    def show(self) -> str:
        """The text."""
        return self._text


Value = Union[str, None, Secret, Callable[[], Union[str, None, Awaitable[Union[str, None]]]]]
"""A value, or a function without arguments that returns it, sync or async. It is called for each look-up."""

Source = Callable[[Sequence[str]], Union[Mapping[str, Union[str, None]], Awaitable[Mapping[str, Union[str, None]]]]]
"""A function that gets names and returns the values that are set, sync or async."""

_MAX_FILE = 1024 * 1024


class LookupFailed(Exception):
    """To be raised by functions that return settings or secrets. Its message is shown, but those of other exceptions are not,
    since they may hold values."""

    def __init__(self, message: str, *, denied: bool = False, name: str | None = None) -> None:
        super().__init__(message)
        self.denied = denied
        self.name = name


class _Failed(Exception):
    def __init__(self, kind: str, name: str | None, message: str) -> None:
        super().__init__(kind)
        self.event = _machine.lookup_failed(kind, name, message)


class Values:
    """Where settings or secrets come from: values first, then the source, then variables with the prefix."""

    def __init__(self, values: Mapping[str, Value], source: Source | None, prefix: str | None, limit: float) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._source = source
        self._prefix = prefix
        self._limit = limit

    def __repr__(self) -> str:
        return f"Values({', '.join(self._values)})"

    def _plain(self, names: Sequence[str]) -> Event | None:
        """The answer, if nothing has to be waited for."""
        found: list[str | None] = []
        for name in names:
            value: Any = self._values.get(name)
            if value is None and self._source is None:
                value = self._variable(name)
                if value is None and self._file(name):
                    return None
            if (value is None and self._source is not None) or callable(value):
                return None
            found.append(value.show() if isinstance(value, Secret) else value)
        return _machine.values(found)

    def _variable(self, name: str, suffix: str = "") -> str | None:
        if self._prefix is None:
            return None
        return os.environ.get(self._prefix + name.upper().replace("-", "_") + suffix) or None

    def _file(self, name: str) -> str | None:
        return self._variable(name, "_FILE")

    def look_up(self, names: Sequence[str]) -> Event:
        """Looks values up within the time limit."""
        event = self._plain(names)
        if event is not None:
            return event
        results: list[Event] = []

        def work() -> None:
            results.append(asyncio.run(self._collect(names, in_thread=True)))

        # A thread that never ends does not keep the process alive.
        thread = threading.Thread(target=work, name="onepassword-users-look-up", daemon=True)
        thread.start()
        thread.join(self._limit)
        return results[0] if results else _too_slow()

    async def look_up_async(self, names: Sequence[str]) -> Event:
        """Looks values up within the time limit."""
        event = self._plain(names)
        if event is not None:
            return event
        try:
            return await asyncio.wait_for(self._collect(names, in_thread=False), self._limit)
        except asyncio.TimeoutError:
            return _too_slow()

    async def _collect(self, names: Sequence[str], in_thread: bool) -> Event:
        async def call(function: Callable[[], Any], name: str | None) -> Any:
            try:
                is_async = inspect.iscoroutinefunction(function) or in_thread
                result = function() if is_async else await _in_daemon_thread(function)
                return await result if inspect.isawaitable(result) else result
            except LookupFailed as error:
                raise _Failed("denied" if error.denied else "unavailable", error.name or name, str(error)) from None
            except PermissionError:
                raise _Failed("denied", name, "the look-up was denied") from None
            except Exception as error:
                raise _Failed("unavailable", name, f"the look-up failed with {type(error).__name__}") from None

        async def one(name: str, rest: Mapping[str, str | None]) -> str | None:
            value: Any = self._values.get(name)
            if isinstance(value, Secret):
                return value.show()
            if callable(value):
                value = await call(value, name)
            if value is None:
                value = rest.get(name)
            if value is None:
                value = self._variable(name)
            path = self._file(name) if value is None else None
            if path is not None:
                value = await call(lambda: _read(path), name)
            if value is not None and not isinstance(value, str):
                raise _Failed("unavailable", name, f"the look-up returned {type(value).__name__} instead of a text")
            return value

        try:
            rest: Mapping[str, str | None] = {}
            missing = [name for name in names if name not in self._values]
            source = self._source
            if source is not None and missing:
                is_async = inspect.iscoroutinefunction(source)
                rest = await call(_bind_async(source, missing) if is_async else lambda: source(missing), None)
            return _machine.values([await one(name, rest) for name in names])
        except _Failed as failed:
            return failed.event


def _bind_async(source: Any, names: Sequence[str]) -> Callable[[], Any]:
    async def bound() -> Any:
        return await source(names)

    return bound


def _too_slow() -> Event:
    return _machine.lookup_failed("unavailable", None, "the look-up took too long")


async def _in_daemon_thread(function: Callable[[], Any]) -> Any:
    """Threads of the loop's executor would keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def finish(result: Any, error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as caught:
            error = caught
        # The loop may have ended meanwhile.
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=work, name="onepassword-users-look-up", daemon=True).start()
    return await future


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE + 1)
        if len(content) > _MAX_FILE:
            raise LookupFailed("the file is too long")
        return content.decode("utf-8-sig").rstrip("\r\n")
    except PermissionError:
        raise LookupFailed("the file may not be read", denied=True) from None
    except OSError as error:
        raise LookupFailed(f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LookupFailed("the file is not UTF-8") from None
