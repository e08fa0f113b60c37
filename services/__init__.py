"""The work: what a question becomes, and the ports to the model, the queue and the store."""
