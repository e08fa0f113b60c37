"""The result store: a port and its two implementations, Firestore and SQLite."""
