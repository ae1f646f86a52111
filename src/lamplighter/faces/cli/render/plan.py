"""A plan as a person reads it: steps in order, with why, what it costs in capacity, and what to mind."""

from lamplighter.faces.cli.render.paint import columns, paint, seconds
from lamplighter.model.decisions import Plan
from lamplighter.planning import Row, outline


def plan_text(plan: Plan) -> str:
    """Return the whole plan as lines."""
    short = outline(plan)
    lines = [paint(f"plan for {short.system}", "bold")]
    if not short.changes:
        lines.append("  nothing to change")
    lines += columns(_cells(each) for each in short.rows)
    for each in short.rows:
        lines += [paint(f"    step {each.number} {each.state}: {why}", "yellow") for why in _waits(each)]
    if short.changes:
        ready = ", ".join(f"{name} {count}" for name, count in short.lowest.items()) or "none"
        held = " and what is held" if any(each.state == "held" for each in short.rows) else ""
        lines.append(f"  takes {seconds(short.lasts_s)} besides starts{held}; fewest ready replicas: {ready}")
    lines += [paint(f"  not yet: {each}", "yellow") for each in short.missing]
    lines += [paint(f"  mind: {each}", "yellow") for each in short.risks]
    lines.append(paint(f"  facts {plan.basis}", "dim"))
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    mark = "!" if row.destructive else " "
    ready = " ".join(f"{name}={count}" for name, count in row.capacity.items())
    return [f"{row.number:>2}{mark}", f"+{seconds(row.at_s)}", row.what, f"[{ready}]", row.why]


def _waits(row: Row) -> tuple[str, ...]:
    return row.reasons if row.state != "act" else ()
