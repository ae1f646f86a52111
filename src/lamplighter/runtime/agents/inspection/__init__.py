"""Looking into a running pool: which agents there are, what one knows, what waits, what has died."""
