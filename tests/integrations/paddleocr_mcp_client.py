"""Call the tools of paddleocr-mcp as an MCP client does: MODEL TOOL URL FILE."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

model, tool, url, file = sys.argv[1:]
environment = {
    "PADDLEOCR_MCP_MODEL": model,
    "PADDLEOCR_MCP_PPOCR_SOURCE": "self_hosted",
    "PADDLEOCR_MCP_SELF_HOSTED_BASE_URL": url,
}


async def main() -> None:
    command = ["-m", "paddleocr_mcp"]
    async with Client(StdioTransport(sys.executable, command, env=environment)) as client:
        names = [found.name for found in await client.list_tools()]
        assert names == [tool], names
        result = await client.call_tool(tool, {"input_data": file})
        print("".join(getattr(part, "text", "") for part in result.content))


asyncio.run(main())
