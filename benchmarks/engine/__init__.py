"""One pass of the loop over a large fleet."""
