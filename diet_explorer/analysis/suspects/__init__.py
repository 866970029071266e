"""Labels that may be wrong: evidence, witnesses, the table of suspects, the noise check."""
