"""`make bench` measures Andon beside its peers. A development tool: it may import everything, nothing imports it."""
