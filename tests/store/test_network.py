"""Why another machine cannot be reached, as real clients meet it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import httpx
import pytest

from diet_explorer.store.network import network_trouble, status_of


@pytest.fixture
def answering() -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one and the same answer to whatever it is asked."""
    answer: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer[0])

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", answer
        server.shutdown(socket.SHUT_RDWR)


def trouble(url: str, **client: object) -> tuple[str, str]:
    with pytest.raises(Exception) as caught, httpx.Client(trust_env=False, timeout=2, **client) as asking:  # type: ignore[arg-type]
        asking.get(url)
    found = network_trouble(caught.value)
    assert found is not None, repr(caught.value)
    return found.reason, found.remedy


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a name and a password", "NAME:PASSWORD@HOST"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "does not let the request through", "NO_PROXY"),
        (b"<html>Log in to the WLAN</html>", "connection", "network connection"),
    ],
)
def test_a_proxy(answering: tuple[str, list[bytes]], answer: bytes, reason: str, remedy: str) -> None:
    address, answers = answering
    answers.append(answer)
    said = trouble("https://hub.example/api", proxy=f"http://{address}")
    assert reason in said[0] and remedy in said[1]


def test_a_server_that_speaks_no_tls(answering: tuple[str, list[bytes]]) -> None:
    address, answers = answering
    answers.append(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert trouble(f"https://{address}/")[0] == "no encrypted connection comes about"


def test_nobody_listens_and_no_such_name() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert trouble(f"http://127.0.0.1:{unused.getsockname()[1]}")[0] == "the connection is refused"
    assert trouble("https://hub.invalid")[0] == "its name cannot be looked up"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"), "its certificate"),
        (httpx.ReadTimeout("The read operation timed out"), "does not answer in time"),
        (ValueError("Unknown scheme for proxy URL URL('ftp://x')"), "is not an address"),
        (ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."), "a package is missing"),
        (OSError(101, "Network is unreachable"), "the connection does not hold"),
    ],
)
def test_further_troubles_also_as_a_cause(error: Exception, reason: str) -> None:
    for met in (error, RuntimeError("could not load")):
        if met is not error:
            met.__cause__ = error
        found = network_trouble(met)
        assert found is not None and reason in found.reason and found.remedy


def test_what_is_no_trouble_of_the_network() -> None:
    assert network_trouble(ValueError("The column 'url' is missing")) is None
    assert network_trouble(FileNotFoundError(2, "No such file or directory")) is None
    response = httpx.Response(429, request=httpx.Request("GET", "https://hub.example"))
    assert status_of(httpx.HTTPStatusError("too many", request=response.request, response=response)) == 429
