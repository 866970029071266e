"""What a notebook shows of a workspace: small tables, and the app in a frame."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from diet_explorer.config import Settings

FRAME_HEIGHT = 800


def is_in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython is only asked where it is loaded already."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def as_table(title: str, facts: Mapping[str, object]) -> str:
    """Names and values as a small HTML table; whatever is in them, they are shown as text."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f'<table><caption style="text-align:left"><b>{escape(title)}</b></caption>{rows}</table>'


def app_address(settings: Settings) -> str | None:
    """Where the app of a workspace answers on this machine; None where none is running."""
    note = settings.home_folder / "app.json"
    try:
        return str(json.loads(note.read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return None


def show_view(settings: Settings, page: str, asked: Mapping[str, str], height: int) -> Any:
    """A page of the app in a cell's frame; outside a notebook, or where no app is running, the link is printed.

    On a JupyterHub, or wherever the kernel knows a server's prefix, the frame goes by jupyter-server-proxy.
    """
    address = app_address(settings)
    view = f"/{page}?{urlencode(asked)}"
    if address is None:
        sys.stdout.write(f"No app is running. Start one with `diet-explorer app`, and open {view} there.\n")
        return None
    if not is_in_notebook():
        sys.stdout.write(f"{address}{view}\n")
        return None
    from IPython.display import IFrame

    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or os.environ.get("JUPYTER_SERVER_PREFIX")
    base = address if not prefix else f"{prefix.rstrip('/')}/proxy/{urlsplit(address).port}"
    return IFrame(f"{base}{view}&embed=true", width="100%", height=height)
