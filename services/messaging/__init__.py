"""The message queue: a port and its two implementations, Google Pub/Sub and SQLite."""
