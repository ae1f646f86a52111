"""The measuring side: figures that can be reproduced with one command each.

`python -m benchmarks NAME` runs the module or package `benchmarks.NAME`. It never imports `lamplighter`
itself; a benchmark may.
"""
