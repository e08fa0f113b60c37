"""Real workers in virtual time, with one fault at one await; `scripts/conformance injection` visits them all."""
