"""Faults of a plant's network, on hosts that are really apart: each has its own network namespace."""
