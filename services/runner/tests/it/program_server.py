"""An MCP server of one tool, which runs the program of its arguments: the file, the program's own name, arguments."""
import json
import shutil
import subprocess
import sys

FILE, ARGV = shutil.which(sys.argv[1]), sys.argv[2:]
TOOL = {"name": "run", "description": "Runs the program.", "inputSchema": {"type": "object"}}
DISCOVERED = {
    "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private", "capabilities": {"tools": {}},
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "program", "version": "1"}},
}


def run():
    # Whatever the server inherited, its child inherits as well.
    ran = subprocess.run(ARGV, executable=FILE, stdin=subprocess.DEVNULL, capture_output=True, close_fds=False)
    ended = {"code": ran.returncode, "out": list(ran.stdout), "err": list(ran.stderr)}
    return {"content": [], "structuredContent": ended}


for line in sys.stdin:
    asked = json.loads(line)
    results = {
        "server/discover": lambda: DISCOVERED,
        "tools/list": lambda: {"tools": [TOOL]},
        "tools/call": run,
    }
    if "id" in asked:
        result = {"resultType": "complete", **results[asked["method"]]()}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
