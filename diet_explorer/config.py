"""Settings of one process, read from ``DIET_EXPLORER_*`` environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from diet_explorer.errors import BadInputError
from diet_explorer.redaction import hide, hide_in_address, redacted


def sharing_cores(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that computes beside others: threads that wait give their core away after a moment.

    Measured with MiniLM on two cores, seconds per scoring batch: on a quiet machine 0.65 (as without it; 0.95 where
    threads do not spin at all), beside several busy processes 2.1 instead of 4.8. To be set before torch is loaded; an
    operator's own ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` wins.
    """
    own = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & environment.keys()
    return dict(environment) if own else {**environment, "GOMP_SPINCOUNT": "1000"}


def local_path(location: str | Path) -> Path | None:
    """The absolute local path that a location means, with ``~`` and ``file://`` understood; None for other URLs.

    BadInputError where there can be no such path.
    """
    text = str(location)
    scheme, _, rest = text.partition("://")
    if rest or text.endswith("://"):
        if scheme.lower() not in ("file", "local"):
            return None
        text = unquote(rest.removeprefix("localhost"))
    if "\0" in text:
        raise BadInputError(f"The path {text!r} has a NUL character in it.", "Give the path of a file or folder.")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        name = Path(text).parts[0]
        raise BadInputError(
            f"The path {text} cannot be used: there is no home folder {name}.",
            f"Give the whole path; a folder that is really called {name} is ./{name}.",
        ) from error
    except FileNotFoundError as error:
        raise BadInputError(
            f"The path {text} cannot be used: the current folder is gone.", "Change to a folder that is there."
        ) from error


STORES = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
"""Kinds of addresses of stores, each with the extra of this package that brings what it needs."""
COPIES_MB = 10_000
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "FSSPEC_S3_ENDPOINT_URL", "FSSPEC_S3")
_SLUG = 40


def home_key(home: str) -> str:
    """A name for a home that no other one has, for folders on machines that several homes share."""
    path = local_path(home)
    if path is not None:
        address = str(path)
    else:
        scheme, _, rest = home.partition("://")
        kind = STORES.get(scheme.lower(), scheme.lower())
        endpoint = [os.environ.get(name, "") for name in _ENDPOINTS] if kind == "s3" else []
        address = "\n".join([kind, rest.strip("/"), *filter(None, endpoint)])
    words = re.sub(r"[^a-z0-9]+", "-", home.rpartition("@")[2].lower())[-_SLUG:].strip("-")
    return f"{words or 'home'}-{sha256(address.encode()).hexdigest()[:12]}"


def home_cache(home: str) -> Path:
    """The local folder of a remote home on this machine, by default."""
    return Path.home() / ".cache" / "diet-explorer" / home_key(home)


class Settings(BaseSettings):
    """What an operator may set; an empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(
        env_prefix="DIET_EXPLORER_", extra="ignore", env_ignore_empty=True, str_strip_whitespace=True
    )

    home: str = Field(default="workspace", validate_default=True)  # a local folder or any fsspec URL
    database_url: str | None = None  # SQLAlchemy URLs of the two databases; by default SQLite files in the workspace
    jobs_url: str | None = None
    scratch: str | None = None  # local folder for training checkpoints when the workspace is not local
    trust_remote_code: bool = False  # whether models from a hub may run their own Python code
    host: str = "127.0.0.1"  # where the browser app listens
    port: int = Field(default=8501, ge=0, le=65535)
    upload_limit_mb: int = Field(default=2048, ge=1)  # largest file that the app accepts as an upload
    copies_mb: int = Field(default=COPIES_MB, ge=1)  # so much of a remote workspace each process keeps as local copies
    store_patience: int = Field(default=600, ge=0)  # so many seconds jobs wait for a store or database that is away
    bin_days: int = Field(default=7, ge=0, le=3650)  # so long what was deleted can be brought back; 0: not at all
    lease_seconds: float = Field(default=30, ge=1, le=3600)  # a worker silent for so long loses its jobs to another
    share_with_group: bool = False  # whether the group of the workspace's folders may read and write what is in them
    bundled_model: str | None = None  # folder of a small model that stands in for the bundled one in tests
    # E-mail addresses, with commas between them, of who may lead and who may annotate where the app has a sign-in;
    # everybody else who signs in may look.
    leads: str = ""
    annotators: str = ""
    # Folders, separated as in PATH, whose files may be read through the app; by default none beyond uploads where it is
    # shared (it has a sign-in, or listens beyond this machine), else the home folder.
    data_roots: str = ""
    private_sources: bool = False  # whether a shared app may read addresses of private networks, and stores such as s3
    secrets: str | None = None  # the file that describes the sign-in, where it is not .streamlit/secrets.toml
    require_sign_in: bool = False  # whether the app refuses to start, and to go on, without a sign-in
    trust_email_without_verified_claim: bool = False  # of a provider that does not say whether an address is verified
    public_url: str | None = None  # the address that people type, where a proxy stands before the app
    open_without_sign_in: bool = False  # whether people from elsewhere get in without a sign-in
    join_code: str | None = None  # makes whoever gives it a lead where there is no sign-in
    guests: Literal["viewer", "annotator"] = "viewer"  # what whoever does not give it is
    log: Literal["text", "json"] = "text"  # form of the logs: lines for people, or one JSON object per line
    log_to: Literal["files", "stdout"] = "files"  # into the workspace's folder logs, or to standard output
    # Ports for metrics in Prometheus's form and /healthz, of the app and of this machine's first worker (the second
    # takes the next one, and so on); none by default. Who can reach them needs no sign-in.
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    metrics_host: str = "127.0.0.1"
    push_with_server_token: bool = False  # whether people's pushes may go out with the server's own token of the Hub

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @field_validator("home")
    @classmethod
    def _resolved(cls, value: str) -> str:
        path = local_path(value)
        return value.rstrip("/") if path is None else str(path)

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        place = urlsplit(value or "http://localhost")
        if place.scheme not in ("http", "https") or not place.hostname or place.username or place.path.strip("/"):
            raise ValueError("it must be an address such as https://diet.example.org")
        return value

    @field_validator("scratch", "bundled_model", "secrets")
    @classmethod
    def _local(cls, value: str | None) -> str | None:
        path = None if value is None else local_path(value)
        if value is not None and path is None:
            raise ValueError("it must be a path on this machine")
        return None if path is None else str(path)

    @field_validator("data_roots")
    @classmethod
    def _folders(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("it must be folders of this machine")
        paths = [local_path(part.strip()) for part in value.split(os.pathsep) if part.strip()]
        return os.pathsep.join(map(str, paths))

    @model_validator(mode="after")
    def _keep_secrets(self) -> Self:
        for address in (self.home, self.database_url, self.jobs_url):
            hide_in_address(address)
        hide(self.join_code)
        return self

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, redacted(value) if isinstance(value, str) else value

    @property
    def data_folders(self) -> tuple[Path, ...]:
        """The folders of `data_roots`."""
        return tuple(Path(part) for part in self.data_roots.split(os.pathsep) if part)

    @property
    def home_is_local(self) -> bool:
        return local_path(self.home) is not None

    @property
    def home_folder(self) -> Path:
        """The local folder that holds databases, locks and scratch files of this machine, for this workspace alone."""
        path = local_path(self.home)
        if path is not None:
            return path
        return Path(self.scratch).absolute() / home_key(self.home) if self.scratch else home_cache(self.home)

    @property
    def explorer_url(self) -> str:
        return self.database_url or self._sqlite_url("explorer.sqlite")

    @property
    def dbos_url(self) -> str:
        return self.jobs_url or self._sqlite_url("jobs.sqlite")

    def _sqlite_url(self, name: str) -> str:
        """Address of a SQLite file in the workspace, whatever characters its path has."""
        return f"sqlite:///{quote(str(self.home_folder / name))}"

    @property
    def training_folder(self) -> Path:
        """Where trainings write their checkpoints: in a local workspace, where every machine finds them, else here."""
        return self.home_folder / "scratch" if self.home_is_local else self.scratch_folder

    @property
    def scratch_folder(self) -> Path:
        """The local folder for what is needed while a job works; of no other home."""
        if self.scratch and self.home_is_local:
            return Path(self.scratch).absolute() / home_key(self.home)
        return self.home_folder / "scratch"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; keyword arguments that are neither None nor blank win over it.

    BadInputError names a bad variable.
    """
    given = {key: value for key, value in overrides.items() if value is not None and str(value).strip()}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise unusable_setting("DIET_EXPLORER_", error) from error


def unusable_setting(prefix: str, error: ValidationError) -> BadInputError:
    """The error that names the first variable that cannot be used."""
    first = error.errors()[0]
    name = prefix + "_".join(str(part) for part in first["loc"]).upper()
    reason = first["msg"].removeprefix("Value error, ").lower()
    return BadInputError(
        f"The setting {name} cannot be used: {reason} (it is {first['input']!r}).", f"Correct or unset {name}."
    )


def shares_with_group() -> bool:
    """Whether what this process writes is for the group too; see `Settings.share_with_group`."""
    return _shares(os.environ.get("DIET_EXPLORER_SHARE_WITH_GROUP", ""))


@lru_cache(maxsize=4)
def _shares(_value: str) -> bool:
    return load_settings().share_with_group
