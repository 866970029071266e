"""What happens in this process and somebody may want to count; nothing is kept where nobody listens.

Floors below the metrics say here what they do, without knowing of them: see `jobs.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str, float, dict[str, str]], None]
_listeners: list[Listener] = []


def happened(what: str, amount: float = 1.0, **labels: str) -> None:
    """Say that something has happened, or what its value is now."""
    for listener in _listeners:
        listener(what, amount, labels)


def listen(listener: Listener) -> Callable[[], None]:
    """Let a listener hear of all that happens from now on; what is returned ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
