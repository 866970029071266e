"""Fine-tuning: which model, which batches, which settings."""
