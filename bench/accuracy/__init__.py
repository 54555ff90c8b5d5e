"""How far verdicts can be trusted: lines that nobody has seen, through the whole of Andon, beside their truth."""
