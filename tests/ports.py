"""Ports for servers that tests start."""

from __future__ import annotations

import socket

_held: list[socket.socket] = []


def own_port() -> int:
    """A port of 127.0.0.1 that no other process is given while this one lives, and where a server may listen.

    It stays bound here without listening, which is in the way of nobody who asks for this very port: servers allow
    addresses to be used again.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    return int(holder.getsockname()[1])
