"""One module for each measurement: `measure(room) -> Findings`. The pure calculations stand beside them."""
