"""A prototype in plain Python: `python plain.py QUESTION`. It asks a model for a draft, then a better one."""

import asyncio
import os
import sys


async def model(prompt: str) -> str:
    """Stand for a model: slow, and every call is seen."""
    with open(os.environ.get("MODEL_LOG", os.devnull), "a", encoding="utf-8") as log:
        log.write(f"{prompt}\n")
    await asyncio.sleep(float(os.environ.get("MODEL_S", "0")))
    return prompt.upper()


async def improve(question: str, state: list[str] = []) -> str:  # noqa: B006 - each agent has its own
    """Answer a question, knowing what was answered before."""
    draft = await model(f"draft {question}")
    state.append(draft)
    return f"{await model(f'improve {draft}')} ({len(state)})"


if __name__ == "__main__":
    print(asyncio.run(improve(sys.argv[1])))
