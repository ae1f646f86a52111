"""The maintainer's HTTP API: typed intents in, views out, on a unix socket for this user only."""
