"""`lamp replay`: every recorded decision made again; what another policy would do; an excerpt to keep."""

import argparse
from pathlib import Path

import msgspec

from lamplighter import __version__
from lamplighter.app.exporting import export
from lamplighter.app.reading import recording
from lamplighter.engine.replay import Difference, Replayed, Report, differences, replay, report
from lamplighter.engine.step import step
from lamplighter.faces.cli import chosen
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.paint import paint
from lamplighter.model.decisions import Decision
from lamplighter.planning import describe

DIFFERS = 3


def run(asked: argparse.Namespace) -> int:
    """Replay; 3 if anything comes out otherwise than recorded."""
    state = Path() if asked.recording else chosen.system(asked)[1]
    if asked.export:
        return _export(asked, state)
    if asked.policy:
        return _under_policy(asked, state)
    decided: list[dict[str, object]] = []
    seen: list[Replayed] = []
    with recording(state, asked.recording) as opened:
        for each in replay(opened, step, first=asked.first, last=asked.last):
            seen.append(each)
            if asked.json and each.decisions:
                decided.append({"pass": each.number, "decisions": each.decisions, "same": each.same})
    whole = report(seen)
    if asked.json:
        print_json({"report": whole, "exact": whole.exact, "decided": decided})
    else:
        print(_summary(whole))
        _show_unlike(seen)
    return 0 if whole.exact else DIFFERS


def _under_policy(asked: argparse.Namespace, state: Path) -> int:
    policy = chosen.policy(asked.policy)
    with recording(state, asked.recording) as opened:
        found = list(differences(opened, step, policy, first=asked.first, last=asked.last))
    if asked.json:
        print_json({"differences": found})
    else:
        print(
            "\n".join(_difference(each) for each in found) or "the other policy decides the same throughout"
        )
        if found:
            print(
                paint(
                    "facts are as recorded: after its first difference a subject's world would differ", "dim"
                )
            )
    return DIFFERS if found else 0


def _export(asked: argparse.Namespace, state: Path) -> int:
    into = Path(asked.export)
    told = export(state, into, source=asked.recording or "", first=asked.first, last=asked.last)
    if asked.json:
        print_json({"file": str(into), "bytes": into.stat().st_size, **msgspec.to_builtins(told)})
    else:
        print(
            f"{into}: passes {told.first} to {told.last}, {told.decisions} decisions,"
            f" {into.stat().st_size / 1024:.0f} KiB; make them again: lamp replay --recording {into}"
        )
    return 0


def _summary(whole: Report) -> str:
    span = f"{whole.passes} passes replayed ({whole.first} to {whole.last})"
    lines = [f"{span}, {whole.decisions} decisions made again"]
    if others := [each for each in whole.versions if each != __version__]:
        lines.append(f"decided by version {', '.join(others)}; this is {__version__}")
    if whole.history_differs:
        passes = ", ".join(map(str, whole.history_differs))
        lines.append(paint(f"what was remembered before pass {passes} is not what led there", "red"))
    if whole.compared < whole.passes:
        lines.append(f"{whole.passes - whole.compared} passes have no recorded decisions to compare with")
    lines += [paint(f"passes are missing before pass {each}", "yellow") for each in whole.gaps]
    same = whole.compared - len(whole.unlike)
    lines.append(
        paint("every recorded decision came out the same, byte for byte", "green")
        if whole.exact
        else paint(f"{same} of {whole.compared} passes came out the same", "red")
    )
    return "\n".join(lines)


def _show_unlike(seen: list[Replayed]) -> None:
    for each in seen:
        if each.same is False:
            print(f"pass {each.number} ({each.wall})")
            print("\n".join(f"  recorded  {_decision(was)}" for was in each.recorded or ()))
            print("\n".join(f"  now       {_decision(now)}" for now in each.decisions))


def _difference(each: Difference) -> str:
    mark = "" if each.first else paint("  (after an earlier difference)", "dim")
    was = _decision(each.was) if each.was else "nothing"
    would = _decision(each.would) if each.would else "nothing"
    return f"pass {each.number}  {each.wall}  {each.subject}{mark}\n  was    {was}\n  would  {would}"


def _decision(decision: Decision) -> str:
    return f"{decision.state}: {describe(decision.chosen.action)} - {decision.chosen.because}"
