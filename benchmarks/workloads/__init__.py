"""Prototypes to measure with: plain files that know nothing of what runs them."""
