"""Lines between a host and a service that can be cut in every way, on any machine and without rights of root.

Where hosts have networks of their own (`namespaces`), what is silent is lost by the system rather than held here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

Mode = Literal["open", "silent", "hanging", "refused"]
"""What a line does: all passes; nothing passes and nobody is told; questions pass, but no answers; nobody is there."""

T = TypeVar("T")
_CHUNK = 1 << 16


class Network:
    """Runs lines in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._lines: list[Line] = []

    def line(
        self, upstream: str | tuple[str, int], address: str = "127.0.0.1", lose: Callable[[bool], None] | None = None
    ) -> Line:
        """A line from an address to a service at a Unix socket's path, or at a host and port."""
        self._lines.append(Line(self, upstream, address, lose))
        return self._lines[-1]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the lines' thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        """Cut all lines for good."""
        for line in self._lines:
            line.set("refused")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Line:
    """A line to a service; it has a port of its own at an address, which it keeps.

    `lose` loses all packets from that address, or no more; without it, what is silent is held here.
    """

    def __init__(
        self,
        network: Network,
        upstream: str | tuple[str, int],
        address: str,
        lose: Callable[[bool], None] | None,
    ) -> None:
        self._network = network
        self._upstream = upstream
        self._lose = lose
        self.address = address
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._questions, self._answers = asyncio.Event(), asyncio.Event()
        self.port = 0
        self.set("open")

    def set(self, mode: Mode) -> None:
        """Do that from now on, with open connections too."""
        if self._lose is not None:
            self._lose(mode == "silent")
            mode = "open" if mode == "silent" else mode
        self._network.run(self._set(mode))

    async def _set(self, mode: Mode) -> None:
        for event, passes in ((self._questions, ("open", "hanging")), (self._answers, ("open",))):
            if mode in passes:
                event.set()
            else:
                event.clear()
        if mode != "refused":
            if self._server is None:
                self._server = await asyncio.start_server(self._connected, self.address, self.port)
                self.port = self._server.sockets[0].getsockname()[1]
            return
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._connections)
        for task, writers in list(self._connections.items()):
            for writer in writers:
                writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = [writer]
        try:
            await self._questions.wait()
            with suppress(OSError):
                there = await self._connect()
                self._connections[task].append(there[1])
                await asyncio.gather(
                    _pass_on(reader, there[1], self._questions), _pass_on(there[0], writer, self._answers)
                )
        except asyncio.CancelledError:
            pass  # the line was cut; the server would print it
        finally:
            for each in self._connections.pop(task):
                each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, str):
            return await asyncio.open_unix_connection(self._upstream)
        return await asyncio.open_connection(*self._upstream)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, passing: asyncio.Event) -> None:
    """Pass on what comes, and its end, whenever that passes."""
    while True:
        data = await source.read(_CHUNK)
        await passing.wait()
        if not data:
            break
        sink.write(data)
        await sink.drain()
    sink.close()
