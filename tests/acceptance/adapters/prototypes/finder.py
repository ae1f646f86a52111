"""A prototype with pydantic-ai: `python finder.py QUESTION`. Its agent looks words up with a tool."""

import asyncio
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


def seen(line: str) -> None:
    """Write down that something outside was done."""
    with open(os.environ.get("MODEL_LOG", os.devnull), "a", encoding="utf-8") as log:
        log.write(f"{line}\n")


async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Stand for a model, slow: it wants a tool called, and then says what came of it."""
    last = messages[-1].parts[-1]
    asked = not isinstance(last, ToolReturnPart)
    seen(f"{'asked' if asked else 'told'} {last.content}")
    await asyncio.sleep(float(os.environ.get("MODEL_S", "0")))
    if asked:
        return ModelResponse(parts=[ToolCallPart("look_up", {"word": last.content})])
    return ModelResponse(parts=[TextPart(f"{last.content}, after {len(messages)} messages")])


agent = Agent(FunctionModel(model), name="finder")


@agent.tool_plain
def look_up(word: str) -> str:
    """Look a word up."""
    seen(f"look_up {word}")
    return f"{word} is on page {len(word)}"


if __name__ == "__main__":
    print(agent.run_sync(sys.argv[1]).output)
