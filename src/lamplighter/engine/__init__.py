"""The engine: the loop, with the pure step that decides inside it, and the replay of what it saw."""
