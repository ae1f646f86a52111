"""The demo: `python -m examples.demo` runs the library on this machine and lets everything happen to it.

`story` says what happens; `workplace` is the temporary home that it happens in; `traffic` asks, `watching`
looks, `telling` tells; `record` keeps what was seen, for `table` and `picture`; `hindsight` replays it;
`leftovers` proves that nothing is left. It uses the real `lamp` command on a free port, and touches nothing
of its user's.
"""
