"""Dead letters: what they carry, and the commands that group, show, mend and send them again."""
