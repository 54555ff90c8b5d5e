"""What a user would pick instead of Andon, set up as its documentation shows and as fast as we can make it."""
