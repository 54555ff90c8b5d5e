"""What is measured, beside its peers: `make bench`. A development tool; nothing imports it, it imports anything."""
