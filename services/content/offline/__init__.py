"""What the worker writes by itself when no model answers: from the catalogue, deterministic, the same every time."""
