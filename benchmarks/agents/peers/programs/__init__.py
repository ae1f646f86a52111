"""What runs inside a peer's own environment: `stage.py` is started by path and drives one of the others.

A program may import the peer's packages and the standard library, and nothing of this project: its
environment has neither. It therefore imports no sibling either; `stage` says what it expects of a program.
"""
