"""compose.yaml and the image: nothing insecure by default, nothing named that is not there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from diet_explorer.config import Settings

ROOT = Path(__file__).parents[1]
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SECRETS = {
    "POSTGRES_PASSWORD": "marked-postgres-password",
    "S3_ACCESS_KEY": "marked-access-key",
    "S3_SECRET_KEY": "marked-secret-key",
    "JOIN_CODE": "marked-join-code",
}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:[-?])(?P<rest>[^}]*)\}")


def filled(variables: Mapping[str, str]) -> dict[str, Any]:
    """compose.yaml as `docker compose` reads it with these variables."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"])
        if given:
            return given
        assert match["how"] == ":-", f"{match['name']} has to be set"
        return match["rest"]

    values: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, COMPOSE))
    return values


def test_nothing_starts_without_secrets_of_its_own() -> None:
    for name in SECRETS:
        with pytest.raises(AssertionError, match=name):
            filled({key: value for key, value in SECRETS.items() if key != name})
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == set(SECRETS)
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == {match[1] for match in _VARIABLE.finditer(COMPOSE)}


def test_docker_compose_reads_it_so(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no docker with its compose plugin here")
    (tmp_path / "none").touch()
    command = [docker, "compose", "--file", str(ROOT / "compose.yaml"), "--env-file", str(tmp_path / "none"), "config"]
    bare = {name: value for name, value in os.environ.items() if name not in {*SECRETS, "TORCH", "PUBLIC_URL"}}
    refused = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and "make env" in refused.stderr
    command += ["--format", "json"]
    read = json.loads(subprocess.run(command, env={**bare, **SECRETS}, capture_output=True, check=True).stdout)
    for name, entry in filled(SECRETS)["services"].items():
        assert read["services"][name].get("environment", {}) == entry.get("environment", {}), name
        assert read["services"][name].get("command") == entry.get("command"), name


def test_only_the_app_is_published_and_only_here() -> None:
    services = filled(SECRETS)["services"]
    assert {name: entry["ports"] for name, entry in services.items() if "ports" in entry} == {
        "app": ["127.0.0.1:8501:8501"]
    }
    assert [name for name in services if name.startswith("worker-")] == ["worker-1", "worker-2"]
    for name, entry in services.items():
        assert "privileged" not in entry
        assert ":latest" not in entry["image"]
        assert not any(secret in str(entry.get("command")) for secret in SECRETS.values()), name
        known = {f"DIET_EXPLORER_{field.upper()}" for field in Settings.model_fields}
        assert {key for key in entry.get("environment", {}) if key.startswith("DIET_EXPLORER_")} <= known


def test_the_image_copies_what_is_there_and_runs_as_nobody_in_particular() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert all((ROOT / name).exists() and f"!{name}" in allowed for name in copied)
    assert next(line for line in reversed(lines) if line.startswith("USER ")) == "USER 10001"
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
