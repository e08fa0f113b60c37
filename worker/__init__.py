"""The process: how a message gets in, how the worker lives and ends, what people type."""
