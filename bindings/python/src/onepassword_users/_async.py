"""The driver for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore

from . import _http
from ._component import Event
from ._driver import Driver, dumps
from ._http import Exchange
from ._machine import ELAPSED, LookUp, Operation, Output, Request


class _Stream(httpcore.AsyncNetworkStream):
    """A stream with the time limits of the exchange, where httpcore has one for each read."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(max_bytes, _http.remaining(timeout))
        exchange = _http.current.get()
        if exchange:
            exchange.proceed()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, _http.remaining(timeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _Stream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, _http.remaining(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> _Stream:
        limit = _http.remaining(timeout)
        return _Stream(await self._inner.connect_tcp(host, port, limit, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class AsyncConnector(Driver):
    """Any component of the contract ``automation:connector/steps``, from asyncio. Use one in each event loop. The options are
    those of `Connector`. Cancelling a task ends its action."""

    def _start(self) -> None:
        self._pools: dict[tuple[str, str | None], httpcore.AsyncConnectionPool] = {}
        self._progress: asyncio.Event | None = None

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections. The connector cannot be used after that."""
        self._is_closed = True
        if self._pid == os.getpid():
            for pool in self._pools.values():
                with contextlib.suppress(RuntimeError):
                    await pool.aclose()
        self._pools = {}

    async def invoke(self, action: str, arguments: Mapping[str, Any] | str = "{}") -> Output:
        """Runs an action by its name, with arguments and result in JSON."""
        return await self._run(action, dumps(arguments))

    async def test(self) -> Output:
        """Tests settings, credentials and permissions, with the result in JSON. Nothing is changed."""
        return await self._run(None, "{}")

    async def _run(self, action: str | None, arguments: str) -> Output:
        machine = self._machine(action, arguments)
        try:
            operation = next(machine)
            while True:
                operation = machine.send(await self._perform(operation))
        except StopIteration as end:
            return self._finished(end.value)
        finally:
            machine.close()

    async def _perform(self, operation: Operation) -> Event:
        if isinstance(operation, LookUp):
            source = self._settings if operation.kind == "settings" else self._secrets
            return await source.look_up_async(operation.names)
        if isinstance(operation, Request):
            started = time.monotonic()
            return _http.logged(operation, started, await self._send(operation))
        if operation.seen is None:
            await asyncio.sleep(operation.seconds)
        elif not operation.is_over():
            if self._progress is None:
                self._progress = asyncio.Event()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._progress.wait(), operation.seconds)
        return ELAPSED

    def _notify(self) -> None:
        if self._progress is not None:
            self._progress.set()
            self._progress = None

    def _pool(self, url: str) -> httpcore.AsyncConnectionPool:
        scheme = url.partition(":")[0]
        key = (scheme, self._network.proxy_for(url))
        if self._pid != os.getpid():
            # The connections belong to the parent process.
            self._pid, self._pools = os.getpid(), {}
        pool = self._pools.get(key)
        if pool is None:
            options = self._network.pool_options(key[1], scheme)
            pool = self._pools[key] = httpcore.AsyncConnectionPool(network_backend=_Backend(), **options)
        return pool

    async def _send(self, request: Request) -> Event:
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
            async with pool.stream(**_http.arguments(request, exchange)) as response:
                status = response.status
                body = _http.Body(request)
                async for chunk in response.aiter_stream():
                    body.add(chunk)
                return body.response(status, response.headers)
        except Exception as error:
            return _http.failure(error, exchange, status)
        finally:
            _http.current.reset(token)
