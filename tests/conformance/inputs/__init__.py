"""Bad input at scale: bytes, JSON, text and models that mean no good; `scripts/conformance inputs` sends them all."""
