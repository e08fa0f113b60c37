"""Asking a model, come what may: rungs of models with retries between them, the offline mock at the end."""
