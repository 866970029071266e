"""What a run will take on a dataset of this workspace: its tokens counted, rates measured on its own examples."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from typing import get_args

from diet_explorer.config import sharing_cores
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import JobFailedError, ModelError
from diet_explorer.store.files import Files
from diet_explorer.store.layout import Layout
from diet_explorer.store.queries import Queries, parquet
from diet_explorer.training.config import GradientMode, RunConfig
from diet_explorer.training.cost import CHARACTERS_PER_TOKEN, CostEstimate, MeasuredRates, estimate_cost


class DatasetCosts:
    """Estimates and measures what runs on a dataset cost."""

    def __init__(self, files: Files, queries: Queries, manifest: DatasetManifest) -> None:
        self._files = files
        self._queries = queries
        self._manifest = manifest

    def estimates(self, config: RunConfig) -> dict[GradientMode, CostEstimate]:
        """What a run will take for each choice of gradient norms, from measured rates if they are there."""
        pair = " + length(text_pair)" if self._manifest.mapping.text_pair else ""
        sql = (
            f"SELECT split = 'train' AS train, count(*) AS rows, "
            f"sum(least(ceil((length(text){pair}) / {CHARACTERS_PER_TOKEN}) + 2, {int(config.max_length)})) AS tokens "
            f"FROM {parquet(Layout(self._files).dataset(self._manifest.id).examples)} GROUP BY 1"
        )
        tokens = self._queries.frame(sql)
        train = tokens[tokens["train"]]
        measured = self._files.find_json(self._rates_path(config))
        rates = None if measured is None else MeasuredRates(**measured)
        counts = (int(train["rows"].sum()), float(train["tokens"].sum()), float(tokens["tokens"].sum()))
        modes: tuple[GradientMode, ...] = get_args(GradientMode)
        return {mode: estimate_cost(replace(config, grand=mode), *counts, rates) for mode in modes}

    def measure(self, config: RunConfig) -> None:
        """Time a few batches with the model, in a process of its own, and keep the rates for `estimates`.

        ModelError where the model cannot be loaded, JobFailedError where the process ended without an answer.
        """
        request = {"home": self._files.root, "dataset_id": self._manifest.id, "config": config.to_json()}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "diet_explorer.scoring.measurement"],
            input=json.dumps(request),
            env=sharing_cores(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout else {}
        if "error" in answer:
            raise ModelError(answer["error"], answer["remedy"])
        if not answer:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise JobFailedError(f"The measurement failed: {reason}.", "Try a smaller batch size or max length.")
        self._files.write_json(self._rates_path(config), answer)

    def _rates_path(self, config: RunConfig) -> str:
        key = hashlib.sha256(json.dumps([platform.node(), config.model, config.batch_size, config.max_length]).encode())
        return Layout(self._files).measurement(self._manifest.id, key.hexdigest()[:12])
