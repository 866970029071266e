"""Settings of one process, read from ``DIET_EXPLORER_*`` environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from diet_explorer.errors import BadInputError


def sharing_cores(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that computes beside others: threads that wait give their core away after a moment.

    Measured with MiniLM on two cores, seconds per scoring batch: on a quiet machine 0.65 (as without it; 0.95 where
    threads do not spin at all), beside several busy processes 2.1 instead of 4.8. To be set before torch is loaded; an
    operator's own ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` wins.
    """
    own = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & environment.keys()
    return dict(environment) if own else {**environment, "GOMP_SPINCOUNT": "1000"}


class Settings(BaseSettings):
    """What an operator may set."""

    model_config = SettingsConfigDict(env_prefix="DIET_EXPLORER_", extra="ignore")

    home: str = "workspace"  # a local folder or any fsspec URL
    database_url: str | None = None  # SQLAlchemy URLs of the two databases; by default SQLite files in the workspace
    jobs_url: str | None = None
    scratch: str | None = None  # local folder for training checkpoints when the workspace is not local
    trust_remote_code: bool = False  # whether models from a hub may run their own Python code
    host: str = "127.0.0.1"  # where the browser app listens
    port: int = Field(default=8501, ge=0, le=65535)
    upload_limit_mb: int = Field(default=2048, ge=1)  # largest file that the app accepts as an upload
    bin_days: int = Field(default=7, ge=0, le=3650)  # so long what was deleted can be brought back; 0: not at all
    bundled_model: str | None = None  # folder of a small model that stands in for the bundled one in tests
    # E-mail addresses, with commas between them, of who may lead and who may annotate where the app has a sign-in;
    # everybody else who signs in may look.
    leads: str = ""
    annotators: str = ""

    @property
    def home_is_local(self) -> bool:
        return "://" not in self.home or self.home.startswith("file://")

    @property
    def home_folder(self) -> Path:
        """The local folder that holds databases, locks and scratch files of this machine."""
        if self.home_is_local:
            return Path(self.home.removeprefix("file://")).absolute()
        return Path(self.scratch or Path.home() / ".cache" / "diet-explorer").absolute()

    @property
    def explorer_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home_folder / 'explorer.sqlite'}"

    @property
    def dbos_url(self) -> str:
        return self.jobs_url or f"sqlite:///{self.home_folder / 'jobs.sqlite'}"

    @property
    def scratch_folder(self) -> Path:
        return Path(self.scratch).absolute() if self.scratch else self.home_folder / "scratch"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; keyword arguments that are not None win over it. BadInputError names a bad variable."""
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise BadInputError(
            f"The setting DIET_EXPLORER_{name} cannot be used: {first['msg'].lower()} (it is {first['input']!r}).",
            f"Correct or unset DIET_EXPLORER_{name}.",
        ) from error
