"""Tells a workspace from a copy of its folder, where both use one jobs database: each would do the other's jobs."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Column, MetaData, NullPool, String, Table, create_engine, insert, make_url, select
from sqlalchemy.schema import CreateTable

from diet_explorer.config import Settings, local_path
from diet_explorer.errors import DietExplorerError, WorkspaceError
from diet_explorer.store.belonging import is_moved, workspace_id
from diet_explorer.store.files import Files

_HOMES = Table(
    "diet_explorer_homes",
    MetaData(),
    Column("workspace", String, primary_key=True),
    Column("home", String, primary_key=True),
)
"""Addresses by which workspaces have used a jobs database; of one that is mounted on several machines there may be
several."""


def check_no_copy(settings: Settings, url: str) -> None:
    """WorkspaceError where a workspace of the same id, which is another one, uses this jobs database too."""
    if settings.jobs_url is None:  # it lies in the home
        return
    files = Files.of(settings)
    workspace = workspace_id(files)
    if workspace is None or is_moved(files):
        return
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(CreateTable(_HOMES, if_not_exists=True))
        known = set(connection.scalars(select(_HOMES.c.home).where(_HOMES.c.workspace == workspace)))
        other = next((home for home in sorted(known - {files.root}) if _is_another(home, files.root, workspace)), None)
        if other is None and files.root not in known:
            connection.execute(insert(_HOMES).values(workspace=workspace, home=files.root))
    if other is not None:
        raise WorkspaceError(
            f"The workspaces {files.root} and {other} have the same id, {workspace}: one is a copy of the other's "
            "folder, and with one jobs database each would do the other's jobs.",
            "Give the copy an id of its own: diet-explorer upgrade --own-id --workspace and its folder.",
        )


def _is_another(home: str, here: str, workspace: str) -> bool:
    """Whether another address is, for certain, of another workspace that has the id."""
    one, two = local_path(home), local_path(here)
    with suppress(OSError, DietExplorerError):
        if one is not None and two is not None and one.samefile(two):
            return False
        files = Files(home)
        return workspace_id(files) == workspace and not is_moved(files)
    return False
