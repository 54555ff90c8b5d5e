"""`andon soak`: a line that is broken again and again, on a schedule that a seed reproduces."""
