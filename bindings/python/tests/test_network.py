"""TLS and proxies, against servers of the test."""

from __future__ import annotations

import asyncio
import base64
import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import WENDY

import onepassword_users as op


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything with 503, and notes what came."""

    seen: list[tuple[str, str | None]]

    def do_POST(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_CONNECT(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.seen.append((f"{self.command} {self.path}", self.headers.get("Proxy-Authorization")))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    handler = type("Handler", (Handler,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    yield server
    server.shutdown()
    server.server_close()


def begin(server: http.server.ThreadingHTTPServer) -> list[tuple[str, str | None]]:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    seen: list[tuple[str, str | None]] = server.RequestHandlerClass.seen  # type: ignore[attr-defined]
    return seen


def failure(account: dict[str, Any]) -> op.OnePasswordUsersError:
    """The failure of a look-up, which is the same in both clients."""
    with op.OnePasswordUsers(**account) as users, pytest.raises(op.OnePasswordUsersError) as caught:
        users.get(WENDY)

    async def work() -> op.OnePasswordUsersError:
        async with op.AsyncOnePasswordUsers(**account) as users:
            with pytest.raises(op.OnePasswordUsersError) as caught:
                await users.get(WENDY)
        return caught.value

    assert asyncio.run(work()).code == caught.value.code
    return caught.value


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("this machine has no openssl, which makes the certificate")
    path = tmp_path / "certificate.pem"
    options = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        *options,
        "-keyout",
        str(path),
        "-out",
        str(tmp_path / "c"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "c").read_bytes())
    return path


def test_certificates(account: dict[str, Any], server: http.server.ThreadingHTTPServer, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    seen = begin(server)
    origin = f"https://127.0.0.1:{server.server_port}"
    options = account | {"base_url": origin, "allowed_origins": [origin], "max_attempts": 1}
    assert isinstance(failure(options), op.MisconfiguredError)
    assert seen == []
    assert isinstance(failure(options | {"ca_file": certificate}), op.UnavailableError)
    assert len(seen) == 2
    assert isinstance(failure(options | {"verify": False}), op.UnavailableError)
    assert len(seen) == 4
    with pytest.raises(OSError, match="No such file"):
        op.OnePasswordUsers(**options, ca_file=certificate.parent / "missing")


def test_a_proxy_that_refuses(account: dict[str, Any], server: http.server.ThreadingHTTPServer) -> None:
    seen = begin(server)
    options = account | {"base_url": "https://api.1password.com", "max_attempts": 1}
    error = failure(options | {"proxy": f"http://me:password@127.0.0.1:{server.server_port}"})
    assert "proxy" in str(error)
    assert "password@" not in str(error)
    credentials = "Basic " + base64.b64encode(b"me:password").decode()
    assert seen == [("CONNECT api.1password.com:443", credentials)] * 2
