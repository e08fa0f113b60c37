"""The worker as real processes, which are killed, cut off and flooded; `scripts/conformance` runs all of it."""
