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


def own_path(location: str | Path) -> Path:
    """The absolute path on this machine to write to; BadInputError for the address of another place."""
    path = local_path(location)
    if path is None:
        address = redacted(str(location))
        raise BadInputError(f"{address} is an address.", "Give a path on this machine, and copy what is there.")
    return path


STORES = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
"""Kinds of addresses of stores, each with the extra of this package that brings what it needs."""
COPIES_MB = 10_000
S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "FSSPEC_S3_ENDPOINT_URL", "FSSPEC_S3")
"""Variables of which one may name the server that S3 is spoken with, the strongest first."""
_SLUG = 40


def home_key(home: str) -> str:
    """A name for a home that no other one has, for folders on machines that several homes share."""
    path = local_path(home)
    if path is not None:
        address = str(path)
    else:
        scheme, _, rest = home.partition("://")
        kind = STORES.get(scheme.lower(), scheme.lower())
        endpoint = [os.environ.get(name, "") for name in S3_ENDPOINTS] if kind == "s3" else []
        address = "\n".join([kind, rest.strip("/"), *filter(None, endpoint)])
    words = re.sub(r"[^a-z0-9]+", "-", home.rpartition("@")[2].lower())[-_SLUG:].strip("-")
    return f"{words or 'home'}-{sha256(address.encode()).hexdigest()[:12]}"


def home_cache(home: str) -> Path:
    """The local folder of a remote home on this machine, by default."""
    return Path.home() / ".cache" / "diet-explorer" / home_key(home)


def _setting(description: str, default: Any = None, **limits: Any) -> Any:
    """A setting with the words that the documentation has for it."""
    return Field(default=default, description=description, **limits)


class Settings(BaseSettings):
    """What an operator may set; an empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(
        env_prefix="DIET_EXPLORER_", extra="ignore", env_ignore_empty=True, str_strip_whitespace=True
    )

    home: str = _setting(
        "workspace: a folder (`~` and `file://` too), or any fsspec URL; the extras `s3`, `gcs` and `azure` bring what "
        "`s3://`, `gs://` and `az://` need",
        default="workspace",
        validate_default=True,
    )
    database_url: str | None = _setting(
        "runs and decisions: SQLite or PostgreSQL, as a SQLAlchemy URL; by default SQLite in the workspace"
    )
    jobs_url: str | None = _setting(
        "the job queue, likewise; PostgreSQL for workers on several machines; by default SQLite in the workspace"
    )
    lease_seconds: float = _setting(
        "a worker that has given no sign of life for so many seconds loses its jobs to another one; the same for all "
        "of a workspace",
        default=30,
        ge=1,
        le=3600,
    )
    scratch: str | None = _setting(
        "local folder for temporary files, and for training checkpoints before they are sent to a workspace that lies "
        "elsewhere; each workspace has its own folder in it; by default in the workspace, or `~/.cache/diet-explorer`"
    )
    copies_mb: int = _setting(
        "so much of a workspace in a store each process keeps as local copies, which are gone when it ends",
        default=COPIES_MB,
        ge=1,
    )
    store_patience: int = _setting(
        "so many seconds jobs wait for a store or a database that is away before they fail", default=600, ge=0
    )
    trust_remote_code: bool = _setting("let models from a hub run their own Python code", default=False)
    host: str = _setting("where the app listens", default="127.0.0.1")
    port: int = _setting("at which port it listens", default=8501, ge=0, le=65535)
    upload_limit_mb: int = _setting("largest upload", default=2048, ge=1)
    bin_days: int = _setting(
        "so many days what was deleted can be brought back; 0: not at all", default=7, ge=0, le=3650
    )
    share_with_group: bool = _setting(
        "let the group of the workspace's folder read and write it (folders 2770, files 660); else only the owner may "
        "(700, 600)",
        default=False,
    )
    bundled_model: str | None = _setting("folder of a model that stands in for the bundled one: tests, demonstrations")
    leads: str = _setting(
        "e-mail addresses, with commas between them, of who may lead where there is a sign-in; everybody else who "
        "signs in may look",
        default="",
    )
    annotators: str = _setting("the same of who may annotate", default="")
    data_roots: str = _setting(
        "folders, separated as in `PATH`, whose files are read and written through the app; the command line and "
        "Python are not limited; by default none but uploads where the app has a sign-in or listens beyond this "
        "machine, else the home folder",
        default="",
    )
    private_sources: bool = _setting(
        "let a shared app read addresses of private networks, stores such as `s3://`, and datasets of the Hub with "
        "the server's token",
        default=False,
    )
    secrets: str | None = _setting(
        "the file that describes the sign-in; by default `.streamlit/secrets.toml` where the app is started, or at home"
    )
    require_sign_in: bool = _setting("refuse to start, and to go on, without a sign-in", default=False)
    trust_email_without_verified_claim: bool = _setting(
        "count an e-mail address of a provider that does not say whether it is verified", default=False
    )
    public_url: str | None = _setting(
        "the address that people type, such as `https://diet.example.org`, where a proxy stands before the app; by "
        "default that of `DIET_EXPLORER_HOST`"
    )
    open_without_sign_in: bool = _setting("let people from elsewhere in without a sign-in", default=False)
    join_code: str | None = _setting(
        "where there is no sign-in, whoever gives it leads and everybody else does not; at least 12 characters"
    )
    guests: Literal["viewer", "annotator"] = _setting(
        "what these others are: `viewer` or `annotator`", default="viewer"
    )
    log: Literal["text", "json"] = _setting("logs as `text` or `json`, one object per line", default="text")
    log_to: Literal["files", "stdout"] = _setting(
        "into the workspace's `files` (its folder `logs`) or to `stdout`", default="files"
    )
    metrics_port: int | None = _setting(
        "port for Prometheus' metrics and `/healthz` of the app; who can reach it needs no sign-in", ge=1, le=65535
    )
    worker_metrics_port: int | None = _setting(
        "the same of a machine's first worker; the next has the next port", ge=1, le=65535
    )
    metrics_host: str = _setting("where both listen", default="127.0.0.1")
    push_with_server_token: bool = _setting(
        "people's pushes may go out with the server's token of the Hub, not only with their own", default=False
    )

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
