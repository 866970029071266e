"""Build a policy, preview it, export and push the pruned set."""
