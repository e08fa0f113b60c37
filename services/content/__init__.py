"""What a request becomes: understanding, a matching interest, a script, and the result that is stored."""
