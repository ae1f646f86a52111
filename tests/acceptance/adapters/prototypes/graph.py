"""A prototype with LangGraph: `python graph.py QUESTION`. It plans, looks in two places, and writes."""

import asyncio
import operator
import os
import sys
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph


class Work(TypedDict):
    """What the nodes know."""

    question: str
    notes: Annotated[list[str], operator.add]
    answer: str


async def model(prompt: str) -> str:
    """Stand for a model: slow, and every call is seen."""
    with open(os.environ.get("MODEL_LOG", os.devnull), "a", encoding="utf-8") as log:
        log.write(f"{prompt}\n")
    await asyncio.sleep(float(os.environ.get("MODEL_S", "0")))
    return prompt.upper()


async def plan(work: Work) -> dict[str, Any]:
    """Think of what to look for."""
    return {"notes": [await model(f"plan {work['question']}")]}


def shelf(work: Work) -> dict[str, Any]:
    """Look on the shelf."""
    return {"notes": [f"shelf of {len(work['notes'])}"]}


def desk(work: Work) -> dict[str, Any]:
    """Look on the desk."""
    return {"notes": [f"desk of {len(work['notes'])}"]}


async def write(work: Work) -> dict[str, Any]:
    """Write the answer."""
    return {"answer": await model(f"write {'; '.join(sorted(work['notes']))}")}


builder = StateGraph(Work)
for node in (plan, shelf, desk, write):
    builder.add_node(node)
builder.add_edge(START, "plan")
builder.add_edge("plan", "shelf")
builder.add_edge("plan", "desk")
builder.add_edge(["shelf", "desk"], "write")
builder.add_edge("write", END)
graph = builder.compile(name="researcher")

if __name__ == "__main__":
    print(asyncio.run(graph.ainvoke({"question": sys.argv[1], "notes": []}))["answer"])
