"""The command line: parse, submit, render. No decisions."""
