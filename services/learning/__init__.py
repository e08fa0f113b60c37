"""Learning from what became of results: what people think of them."""
