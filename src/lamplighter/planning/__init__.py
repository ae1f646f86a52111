"""Planning: what would be done, seen before anything is touched. Pure.

`preview` makes actions true in an ideal world, `plan` runs the loop's own step against that world until
nothing is left to do, `risks` and `missing` say what to mind, `outline` is what a face renders.
"""

from lamplighter.planning.basis import basis
from lamplighter.planning.missing import possible
from lamplighter.planning.outline import Outline, Row, describe, outline
from lamplighter.planning.plan import Pass, plan
from lamplighter.planning.preview import capacity, effect, settled

__all__ = [
    "Outline",
    "Pass",
    "Row",
    "basis",
    "capacity",
    "describe",
    "effect",
    "outline",
    "plan",
    "possible",
    "settled",
]
