"""How far verdicts can be trusted: Andon inspects lines that the model has never seen, and the truth is known."""
