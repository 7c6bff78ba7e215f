"""Requests over httpcore, which adds nothing to them: no redirects, cookies, ``.netrc``, environment or decoding."""

from __future__ import annotations

import contextvars
import ipaddress
import logging
import socket
import ssl
import time
import urllib.request
import zlib
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import httpcore

from . import _machine
from ._component import Event
from ._machine import Request
from ._sources import Secret

log = logging.getLogger("onepassword_users")
log.addHandler(logging.NullHandler())

_MAX_CONNECTIONS = 64
_KEEP_ALIVE_SECONDS = 60.0
_NO_URLS = ("", "none", "env")


class Cancelled(Exception):
    """The action was cancelled."""


class Exchange:
    """The time limits of the exchange that this thread or task is in."""

    def __init__(self, request: Request) -> None:
        now = time.monotonic()
        self.idle: float = request.idle_timeout / 1e9
        self._idle_end: float = now + self.idle
        self._end: float = now + request.total_timeout / 1e9

    def remaining(self) -> float:
        """The time until one of the timeouts."""
        return max(min(self._idle_end, self._end) - time.monotonic(), 0.0001)

    def total(self) -> float:
        """The time until the total timeout."""
        return max(self._end - time.monotonic(), 0.0001)

    def is_over(self) -> bool:
        """True if one of the timeouts has elapsed."""
        return time.monotonic() >= min(self._idle_end, self._end)

    def proceed(self) -> None:
        """A part of the response has come, so the idle timeout begins anew."""
        self._idle_end = time.monotonic() + self.idle


current: contextvars.ContextVar[Exchange | None] = contextvars.ContextVar("onepassword_users_exchange", default=None)


def remaining(timeout: float | None) -> float | None:
    """The time limit for one operation on a socket."""
    exchange = current.get()
    return exchange.remaining() if exchange else timeout


def _is_not_ours(_: logging.LogRecord) -> bool:
    return current.get() is None


# httpcore logs headers of responses, and a service may repeat credentials in them.
for _name in ("connection", "http11", "proxy"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_is_not_ours)


def origin_of(url: str) -> str:
    """Scheme, host and port in one form. Raises ValueError if the URL is not valid."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        raise ValueError(f"not an origin such as https://host: {url!r}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname.lower()}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Network:
    """The proxy, TLS and origin rules of requests."""

    def __init__(self, proxy: Secret | None, ca_file: str | None, verify: bool, allowed_origins: Collection[str]) -> None:
        if isinstance(allowed_origins, str):
            raise TypeError("allowed_origins is a collection of origins, not one text")
        self._proxy = proxy
        self._ca_file = ca_file
        self._verify = verify
        self.allowed = {origin_of(origin) for origin in allowed_origins}
        if proxy and proxy.show() not in _NO_URLS and not _is_proxy(proxy.show()):
            raise ValueError("proxy: not none, env, or a URL such as http://host:port")
        self._tls: ssl.SSLContext | None = None
        if ca_file is not None:
            # A file that cannot be read is an error now, and not at the first action.
            self._tls = self._new_tls()

    def tls(self) -> ssl.SSLContext:
        """The TLS settings. Loading the system's certificates takes milliseconds: once."""
        if self._tls is None:
            self._tls = self._new_tls()
        return self._tls

    def _new_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(cafile=self._ca_file)
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def denies(self, url: str) -> str | None:
        """The reason why a request is not sent."""
        try:
            origin = origin_of(url)
        except ValueError:
            return "the URL is not valid"
        if origin in self.allowed:
            return None
        return f"{origin} is not an origin of the service, and allowed_origins does not name it"

    def proxy_for(self, url: str) -> str | None:
        """The proxy for a URL. Loopback has none."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        option = self._proxy.show() if self._proxy else "env"
        if _is_loopback(host) or option in ("", "none"):
            return None
        if option != "env":
            return option
        proxies = urllib.request.getproxies()
        if urllib.request.proxy_bypass(host):
            return None
        return proxies.get(parts.scheme) or proxies.get("all")

    def pool_options(self, proxy: str | None, scheme: str) -> dict[str, Any]:
        """The options of a pool of connections."""
        options: dict[str, Any] = {
            "max_connections": _MAX_CONNECTIONS,
            "keepalive_expiry": _KEEP_ALIVE_SECONDS,
            "http2": False,
            "retries": 0,
        }
        if scheme == "https":
            options["ssl_context"] = self.tls()
        if proxy is not None:
            options["proxy"] = _proxy(proxy)
        return options


def _split_proxy(url: str) -> SplitResult:
    return urlsplit(url if "://" in url else f"http://{url}")


def _is_proxy(url: str) -> bool:
    try:
        parts = _split_proxy(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _proxy(url: str) -> httpcore.Proxy:
    if not _is_proxy(url):
        raise ValueError("the proxy of the environment is not a URL such as http://host:port")
    parts = _split_proxy(url)
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    netloc = parts.netloc.rpartition("@")[2]
    return httpcore.Proxy(urlunsplit((parts.scheme, netloc, "", "", "")), auth=auth)


def arguments(request: Request, exchange: Exchange) -> dict[str, Any]:
    """The arguments for ``stream`` of a pool."""
    headers = [tuple(line.split(": ", 1)) for line in request.headers.split("\n") if line]
    if request.authorization is not None:
        headers.append(("authorization", request.authorization))
    return {
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "content": None if request.body is None else request.body.encode(),
        "extensions": {
            "timeout": {
                "connect": exchange.idle,
                "read": exchange.idle,
                "write": exchange.idle,
                "pool": exchange.total(),
            }
        },
    }


class TooLarge(Exception):
    """The body is longer than allowed."""


class Body:
    """The body of a response while it is read: bounded, and decoded at its end."""

    def __init__(self, request: Request) -> None:
        self._max: int = request.max_body
        self._chunks: list[bytes] = []
        self._length = 0

    def add(self, chunk: bytes) -> None:
        """Adds a part."""
        self._length += len(chunk)
        if self._length > self._max:
            raise TooLarge
        self._chunks.append(chunk)

    def response(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> Event:
        """The event for the whole response."""
        lines, encoding = [], b""
        for name, value in headers:
            lines.append(f"{name.decode('latin-1').strip()}: {value.decode('utf-8', 'replace').strip()}\n")
            if name.lower() == b"content-encoding":
                encoding = value.strip().lower()
        data, decoded = b"".join(self._chunks), False
        if encoding in (b"gzip", b"x-gzip", b"deflate") and data:
            unpacked = _decode(data, self._max)
            if unpacked is not None:
                data, decoded = unpacked, True
        # Where it is not UTF-8, the component would replace bytes in the same way; lists of bytes are slow to hand over.
        return _machine.response(status, "".join(lines), data.decode("utf-8", "replace"), decoded)


def _decode(data: bytes, maximum: int) -> bytes | None:
    """The decoded body, or None if it is not what its header says."""
    decoder = zlib.decompressobj(wbits=47)
    try:
        unpacked = decoder.decompress(data, maximum + 1)
    except zlib.error:
        return None
    if len(unpacked) > maximum:
        raise TooLarge
    return unpacked if decoder.eof else None


def failure(error: Exception, exchange: Exchange, status: int | None) -> Event:
    """The event for an exception. No text of the service is in it."""
    if isinstance(error, TooLarge):
        return _machine.no_response("too-large", "", status)
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.TimeoutException) or exchange.is_over():
        return _machine.no_response("timeout", "", status)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _machine.no_response("certificate", cause.verify_message, status)
        if isinstance(cause, ssl.SSLError) and isinstance(error, httpcore.ConnectError):
            return _machine.no_response("tls", cause.reason or "", status)
        if isinstance(cause, socket.gaierror):
            return _machine.no_response("dns", cause.strerror or "", status)
    if isinstance(error, httpcore.ProxyError):
        return _machine.no_response("connect", "the proxy refused the connection", status)
    if isinstance(error, httpcore.ConnectError):
        reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), "")
        return _machine.no_response("connect", reason, status)
    if isinstance(error, (httpcore.UnsupportedProtocol, httpcore.LocalProtocolError)):
        return _machine.no_response("internal", "the request is not valid", status)
    return _machine.no_response("broken", type(error).__name__, status)


def logged(request: Request, started: float, event: Event) -> Event:
    """Logs an exchange, without its query, which may hold a page token."""
    if log.isEnabledFor(logging.DEBUG):
        answer: Any = event.payload
        outcome = answer.status if event.tag == "response" else answer.fault
        took = (time.monotonic() - started) * 1000
        log.debug("%s %s: %s in %.0f ms", request.method, urlsplit(request.url).path, outcome, took)
    return event


def denied(reason: str) -> Event:
    """The event for a request that is not sent."""
    log.warning("a request was not sent: %s", reason)
    return _machine.no_response("denied", reason)


def not_possible(error: Exception) -> Event:
    """The event for a request that cannot be sent with these options."""
    detail = str(error) if isinstance(error, ValueError) else type(error).__name__
    return _machine.no_response("internal", detail)
