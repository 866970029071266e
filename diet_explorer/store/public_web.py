"""Files of the web, on demand of public servers only: nobody has this machine ask itself or a private network."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import urllib.request
from typing import Any

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOW_32 = 0xFFFF_FFFF
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublicError(Exception):
    """A server is not known, or its address is none of the public internet."""


def open_url(url: str, timeout: float, *, public_only: bool) -> Any:
    """Open an ``http`` or ``https`` URL, redirects followed.

    With `public_only`, a NotPublicError where the URL, or one that it redirects to, leads to a server that is none of
    the public internet. A name is looked up before a request, and the address that answers is looked at again, so that
    a name whose address changes meanwhile leads nowhere.
    """
    if not public_only:
        return urllib.request.urlopen(url, timeout=timeout)  # noqa: S310  where any address of one's own may be read
    opener = urllib.request.OpenerDirector()
    for kind in _HANDLERS:  # none for files, FTP and data, to which a server may redirect
        opener.add_handler(kind())
    return opener.open(url, timeout=timeout)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it holds another one."""
    parsed: Address = ipaddress.ip_address(address.partition("%")[0])
    return all(entry.is_global and not entry.is_multicast for entry in (parsed, *_held(parsed)))


def _held(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    held: list[Address] = [entry for entry in (address.ipv4_mapped, address.sixtofour) if entry is not None]
    if address.teredo is not None:
        held += address.teredo
    if address in _NAT64:
        held.append(ipaddress.IPv4Address(int(address) & _LOW_32))
    return held


def _check_host(host: str, port: int) -> None:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotPublicError(host) from error
    if not answers or not all(is_public(str(answer[4][0])) for answer in answers):
        raise NotPublicError(host)


def _check_request(request: urllib.request.Request) -> urllib.request.Request:
    target = http.client.HTTPConnection(request.host)  # takes the port off the host, of IPv6 too
    _check_host(target.host, target.port or _DEFAULT_PORTS[request.type])
    return request


def _check_peer(sock: socket.socket) -> None:
    if not is_public(str(sock.getpeername()[0])):
        sock.close()
        raise NotPublicError


class _PublicConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _check_peer(self.sock)


class _PublicTLSConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _check_peer(self.sock)


class _PublicHTTP(urllib.request.HTTPHandler):
    def http_request(self, req: urllib.request.Request) -> urllib.request.Request:
        return _check_request(super().http_request(req))

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(http.client.HTTPConnection if req.has_proxy() else _PublicConnection, req)


class _PublicHTTPS(urllib.request.HTTPSHandler):
    def https_request(self, req: urllib.request.Request) -> urllib.request.Request:
        return _check_request(super().https_request(req))

    def https_open(self, req: urllib.request.Request) -> Any:
        proxied = req.has_proxy() or bool(getattr(req, "_tunnel_host", None))
        return self.do_open(http.client.HTTPSConnection if proxied else _PublicTLSConnection, req)


_HANDLERS: tuple[type[urllib.request.BaseHandler], ...] = (
    _PublicHTTP,
    _PublicHTTPS,
    urllib.request.ProxyHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.UnknownHandler,
)
