"""Two hosts, a database and a store, and what can go wrong between them; `tests.benchmarks.faults` is the long form."""
