"""From a file to `examples.parquet`: readers, column mapping, validation, splits and near-duplicates."""
