"""The check on many random draws of a model."""
