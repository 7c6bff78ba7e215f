"""The blocking driver."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

from . import _http
from ._component import Event
from ._driver import Driver, dumps
from ._http import Cancelled, Exchange
from ._machine import ELAPSED, LookUp, Operation, Output, Request


class CancelToken:
    """Cancels an action from another thread, which then raises `Cancelled`."""

    def __init__(self) -> None:
        self._is_cancelled = threading.Event()
        self._lock = threading.Lock()
        self._hooks: list[Any] = []

    def cancel(self) -> None:
        """Cancels the action."""
        self._is_cancelled.set()
        with self._lock:
            hooks = list(self._hooks)
        for hook in hooks:
            hook()

    def check(self) -> None:
        """Raises `Cancelled` once the action is cancelled."""
        if self._is_cancelled.is_set():
            raise Cancelled

    def _add(self, hook: Any) -> None:
        with self._lock:
            self._hooks.append(hook)


class _Stream(httpcore.NetworkStream):
    """A stream with the time limits of the exchange, where httpcore has one for each read."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._inner.read(max_bytes, _http.remaining(timeout))
        exchange = _http.current.get()
        if exchange:
            exchange.proceed()
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _http.remaining(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _http.remaining(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream:
        limit = _http.remaining(timeout)
        return _Stream(self._inner.connect_tcp(host, port, limit, local_address, socket_options))


class Connector(Driver):
    """Any component of the contract ``automation:connector/steps``, from blocking code. It may be used by many threads.

    ``settings`` and ``secrets`` are mappings from names to values or to functions that return them, or one function that gets
    names and returns a mapping. ``environment`` is a prefix of variables for what they do not have."""

    def _start(self) -> None:
        self._pools: dict[tuple[str, str | None], httpcore.ConnectionPool] = {}
        self._progress = threading.Condition()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. The connector cannot be used after that."""
        self._is_closed = True
        if self._pid == os.getpid():
            for pool in self._pools.values():
                with contextlib.suppress(RuntimeError):
                    pool.close()
        self._pools = {}

    def invoke(self, action: str, arguments: Mapping[str, Any] | str = "{}", *, cancel: CancelToken | None = None) -> Output:
        """Runs an action by its name, with arguments and result in JSON."""
        return self._run(action, dumps(arguments), cancel)

    def test(self, *, cancel: CancelToken | None = None) -> Output:
        """Tests settings, credentials and permissions, with the result in JSON. Nothing is changed."""
        return self._run(None, "{}", cancel)

    def _run(self, action: str | None, arguments: str, cancel: CancelToken | None = None) -> Output:
        machine = self._machine(action, arguments)
        try:
            operation = next(machine)
            while True:
                event = self._perform(operation, cancel)
                if cancel:
                    cancel.check()
                operation = machine.send(event)
        except StopIteration as end:
            return self._finished(end.value)
        finally:
            machine.close()

    def _perform(self, operation: Operation, cancel: CancelToken | None) -> Event:
        if isinstance(operation, LookUp):
            source = self._settings if operation.kind == "settings" else self._secrets
            return source.look_up(operation.names)
        if isinstance(operation, Request):
            started = time.monotonic()
            return _http.logged(operation, started, self._send(operation, cancel))
        with self._progress:
            if cancel:
                cancel._add(self._notify)
            wait = operation

            def is_over() -> bool:
                return wait.is_over() or (cancel is not None and cancel._is_cancelled.is_set())

            self._progress.wait_for(is_over, wait.seconds)
        return ELAPSED

    def _notify(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _pool(self, url: str) -> httpcore.ConnectionPool:
        scheme = url.partition(":")[0]
        key = (scheme, self._network.proxy_for(url))
        with self._instance_lock:
            if self._pid != os.getpid():
                # The connections belong to the parent process.
                self._pid, self._pools = os.getpid(), {}
            pool = self._pools.get(key)
            if pool is None:
                options = self._network.pool_options(key[1], scheme)
                pool = self._pools[key] = httpcore.ConnectionPool(network_backend=_Backend(), **options)
            return pool

    def _send(self, request: Request, cancel: CancelToken | None) -> Event:
        reason = self._network.denies(request.url)
        if reason:
            return _http.denied(reason)
        refused = self._before_change(request.changes)
        if refused:
            return refused
        try:
            pool = self._pool(request.url)
        except Exception as error:
            return _http.not_possible(error)
        exchange = Exchange(request)
        token = _http.current.set(exchange)
        status = None
        try:
            with pool.stream(**_http.arguments(request, exchange)) as response:
                status = response.status
                body = _http.Body(request)
                if cancel:
                    cancel._add(response.extensions["network_stream"].close)
                for chunk in response.iter_stream():
                    body.add(chunk)
                return body.response(status, response.headers)
        except Exception as error:
            return _http.failure(error, exchange, status)
        finally:
            _http.current.reset(token)
