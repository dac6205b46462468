"""Calls tools of an MCP server with the client of the protocol's own authors, and prints what they return."""
import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client


async def main():
    asked = json.load(sys.stdin)
    server = StdioServerParameters(
        command=asked["command"][0], args=asked["command"][1:], env=asked["env"], cwd=asked["cwd"]
    )
    answers = []
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as session:
        await session.initialize()
        for name, arguments in asked["calls"]:
            answer = await session.call_tool(name, arguments)
            answer = answer.model_dump(by_alias=True, exclude_none=True, mode="json")
            answers.append({key: answer[key] for key in ("content", "structuredContent") if key in answer})
    print(json.dumps(answers))


asyncio.run(main())
