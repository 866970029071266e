"""Hosts with a network of their own, where the machine allows it: packets are then lost by the system, unnoticed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def allowed() -> bool:
    """Whether this process may make networks."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"diet-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "del", name)
    return made


class Namespace:
    """A network with a wire to the services; each service has an address of its own at the wire's other end."""

    def __init__(self, number: int) -> None:
        self.name = f"diet-{os.getpid()}-{number}"
        self._wire = f"d{os.getpid() % 10**6}w{number}"
        self._subnet = f"10.{200 + os.getpid() % 50}.{number}"
        self._services = 0
        self._undo = ExitStack()
        _ip("netns", "add", self.name)
        self._undo.callback(_ip, "netns", "del", self.name)
        _ip("link", "add", self._wire, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        self._undo.callback(_ip, "link", "del", self._wire)
        _ip("link", "set", self._wire, "up")
        for words in (("link", "set", "lo", "up"), ("addr", "add", f"{self._subnet}.1/24", "dev", "eth0")):
            _ip("-n", self.name, *words)
        _ip("-n", self.name, "link", "set", "eth0", "up")

    def address(self) -> str:
        """A further address for a service."""
        self._services += 1
        address = f"{self._subnet}.{10 + self._services}"
        _ip("addr", "add", f"{address}/24", "dev", self._wire)
        return address

    def lose(self, address: str, *, lost: bool) -> None:
        """Lose every packet that a service sends from now on, or no more."""
        subprocess.run(["ip", "rule", "del", "from", address, "blackhole"], capture_output=True, check=False)
        if lost:
            _ip("rule", "add", "from", address, "blackhole")

    def close(self) -> None:
        """Take it down."""
        self._undo.close()


def enter(name: str) -> None:
    """Put this process, and those that it starts, into a network."""
    with Path("/run/netns", name).open() as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network {name}")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
