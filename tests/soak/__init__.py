"""`make soak`: runs the demo's line and injects faults again and again, on a schedule that a seed reproduces."""
