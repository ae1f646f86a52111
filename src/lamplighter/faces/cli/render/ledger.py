"""Ledger entries and explanations as a person reads them."""

from collections.abc import Mapping, Sequence

import msgspec

from lamplighter.app.views import Explanation
from lamplighter.faces.cli.render.paint import paint, seconds
from lamplighter.model.actions import Action, Contract
from lamplighter.planning import describe
from lamplighter.ports import LedgerEntry

_STYLES = {"decision": "bold", "closing": "green", "finding": "dim", "intent": "blue"}


def entry_text(entry: LedgerEntry) -> str:
    """Return one entry as one line."""
    head = f"{entry.number:>6}  {entry.wall[11:23]}  {entry.kind:<10} {entry.subject:<14}"
    return f"{paint(head, _STYLES.get(entry.kind, 'dim'))} {_what(entry)}"


def explanation_text(explanation: Explanation) -> str:
    """Return why an action was taken or was not, over what, on which evidence, and what came of it."""
    body = explanation.decision.body
    lines = [paint(f"action {explanation.action} ({explanation.standing})", "bold")]
    lines += [f"  what      {_action(body)}", f"  decided   {explanation.decision.wall}"]
    lines += [f"  by        {body.get('controller', '?')} ({body.get('priority', '?')})"]
    lines += [f"  because   {body.get('because', '?')}", f"  facts     {body.get('basis', '?')}"]
    lines += [f"  reason    {each}" for each in _texts(body.get("reasons"))]
    lines += [f"  over      {_lost(each)}" for each in _maps(body.get("lost"))]
    lines += _contract(_map(body.get("contract")))
    lines += [f"  evidence  {_what(each)}" for each in explanation.evidence]
    lines += [f"  outcome   {_what(each)}  {each.wall}" for each in explanation.outcomes]
    if explanation.closing:
        lines.append(f"  ended     {_what(explanation.closing)}  {explanation.closing.wall}")
    return "\n".join(lines)


def _contract(contract: Mapping[str, object]) -> list[str]:
    """Return the contract in the order of its life: what for, what must hold before, what after, by when."""
    if not contract:
        return []
    radius = contract.get("blast_radius", 0.0)
    undo = contract.get("undo")
    how = _describe(undo) if isinstance(undo, dict) else "nothing: a person is told"
    expects = _maps(contract.get("expects"))
    deadline = contract.get("deadline_s", Contract(gain="").deadline_s)
    return [
        f"  gain      {contract.get('gain', '?')}",
        f"  risk      {radius:.0%} of the capacity" if isinstance(radius, float) else "  risk      none",
        *(f"  needs     {_condition(each)}" for each in _maps(contract.get("needs"))),
        *(
            [f"  expects   {_condition(each)}" for each in expects]
            or ["  expects   nothing that can be checked"]
        ),
        *([f"  within    {_seconds(deadline)} of being applied"] if expects else []),
        f"  undo      {how}",
    ]


def _seconds(value: object) -> str:
    return seconds(float(value)) if isinstance(value, int | float) else "?"


def _what(entry: LedgerEntry) -> str:
    body = entry.body
    match entry.kind:
        case "decision":
            return (
                f"{body.get('id', '')}  {body.get('state', '')}: {_action(body)} - {body.get('because', '')}"
            )
        case "outcome":
            return " ".join(str(body.get(each, "")) for each in ("state", "code", "detail")).strip()
        case "closing":
            return f"{body.get('result', '')} {body.get('detail', '')}".strip()
        case "finding":
            return f"{body.get('kind', '')} {body.get('change', '')}: {body.get('message', '')}"
        case _:
            return " ".join(f"{key}={value}" for key, value in body.items() if _short(value))


def _action(body: Mapping[str, object]) -> str:
    action = body.get("action")
    return _describe(action) if isinstance(action, dict) else "?"


def _describe(action: dict[str, object]) -> str:
    try:
        return describe(msgspec.convert(action, type=Action))
    except msgspec.ValidationError:
        return str(action.get("type", "?"))


def _lost(lost: Mapping[str, object]) -> str:
    return f"{lost.get('controller', '?')}: {_action(lost)} - {lost.get('reason', '')}"


def _condition(condition: Mapping[str, object]) -> str:
    rest = ", ".join(f"{key} {value}" for key, value in condition.items() if key != "type")
    return f"{condition.get('type', '?')}: {rest}"


def _short(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, Sequence) else []


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
