"""Write a pruned set: columns, formats, manifest, dataset card, Hub."""
