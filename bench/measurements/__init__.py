"""One module for each measurement, with `measure(context) -> Findings`; pure calculations have modules of their own."""
