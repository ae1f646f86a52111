"""Planning: what would be done, seen before anything is touched. Pure."""
