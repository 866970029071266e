"""What a worker loads before and during its first run; importing it starts no threads."""

import alembic
import cleanlab
import dbos
import sklearn.metrics
import transformers.models.bert.modeling_bert
import transformers.trainer

import diet_explorer.cli.app
import diet_explorer.scoring.seed_run

__all__ = ["alembic", "cleanlab", "dbos", "diet_explorer", "sklearn", "transformers"]
