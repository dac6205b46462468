"""An MCP server of one tool, which adds a line to ran.log. It waits at its start if `wait` is there, and then removes
it. With the line `wait` the first call waits, with `chown` it gives the file away, with `die` the server ends."""
import json
import os
import sys
import time

LINE = {"type": "string", "minLength": 1, "maxLength": 64}
TOOL = {
    "name": "note", "description": "Adds a line to ran.log.",
    "inputSchema": {"type": "object", "properties": {"line": LINE}, "required": ["line"], "additionalProperties": False},
}
LOG = "ran.log"


def note(line):
    with open(LOG, "a") as log:
        log.write(line + "\n")
    with open(LOG) as log:
        first = log.read().splitlines().count(line) == 1
    if line == "wait" and first:
        time.sleep(90)
    if line == "chown":
        try:
            os.chown(LOG, 1, 1)
        except PermissionError as error:
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
    if line == "die":
        sys.exit("it broke")
    return {"content": [{"type": "text", "text": "noted"}]}


if os.path.exists("wait"):
    os.unlink("wait")
    time.sleep(90)
for text in sys.stdin:
    asked = json.loads(text)
    method = asked["method"]
    if method == "initialize":
        result = {
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "lines", "version": "1"},
        }
    elif method == "tools/list":
        result = {"tools": [TOOL]}
    elif method == "tools/call":
        result = note(asked["params"]["arguments"]["line"])
    else:
        result = None
    if "id" in asked:
        answer = {"result": result} if result else {"error": {"code": -32601, "message": "Method not found"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
