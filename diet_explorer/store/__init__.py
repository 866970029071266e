"""Where bytes live: files, score tables, the database."""
