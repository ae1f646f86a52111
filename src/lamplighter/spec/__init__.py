"""The spec: text in, a System or placed faults out. Pure.

`compose` makes a tree with places of the text, `fields` describes what may stand in it (and is the
source of parser, JSON Schema, reference and printer), `checks` and `doubts` look across it.
"""

from lamplighter.spec.codes import Code, codes
from lamplighter.spec.dump import dump
from lamplighter.spec.parsing import Checked, check, overlay, parse, places

__all__ = ["Checked", "Code", "check", "codes", "dump", "overlay", "parse", "places"]
