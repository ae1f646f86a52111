"""`lamp help CODE`: what an error code or a kind of finding means, and what to do."""

import argparse
import textwrap

from lamplighter.app.codes import explained
from lamplighter.faces.cli.render.output import print_json
from lamplighter.faces.cli.render.paint import columns, paint
from lamplighter.model.errors import UserError


def run(asked: argparse.Namespace) -> int:
    """Explain one code, or list all.

    Raises:
        UserError: there is no such code (`unknown-code`), with the nearest ones.
    """
    known = explained()
    if not asked.topic:
        if asked.json:
            print_json({code: title for code, (title, _) in known.items()})
        else:
            print("\n".join(columns([code, title] for code, (title, _) in sorted(known.items()))))
        return 0
    if asked.topic not in known:
        from difflib import get_close_matches

        near = ", ".join(get_close_matches(asked.topic, known)) or "`lamp help` lists all"
        raise UserError(f"there is no code {asked.topic}", code="unknown-code", mend=near)
    title, text = known[asked.topic]
    if asked.json:
        print_json({"code": asked.topic, "title": title, "text": text})
    else:
        print(paint(f"{asked.topic}: {title}", "bold"))
        print(textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="  "))
    return 0
