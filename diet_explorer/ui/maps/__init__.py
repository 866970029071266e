"""The data map and the embedding map."""
