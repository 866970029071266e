"""Search in texts: the query language and the index."""
