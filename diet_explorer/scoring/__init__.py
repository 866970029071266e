"""Scores: what each means, how it is computed, and recording them while a model trains."""
