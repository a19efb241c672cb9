"""Fine-tuning: training a module's own variables."""
