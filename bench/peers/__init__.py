"""What a user would pick instead, each set up as its documentation shows and as well as we can."""
