"""The library: a search service over the text that ships with every Python.

`python -m uvicorn library.search:app` serves it. It needs nothing but the standard library, whose
docstrings, help topics and source it reads.
"""
