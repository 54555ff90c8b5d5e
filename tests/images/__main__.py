"""`python -m tests.images`: ends with 1, and says why in one line, where the images can't be built and run."""

import sys

from tests.images import bases, engine

if reason := engine.missing() or bases.missing():
    sys.exit(reason)
