"""An MCP server of one tool, which tries to leave its cage and says what it was refused. Without input on standard
input, such as in a container without a cage, `escapes.py free` prints the same."""
import json
import os
import socket
import sys


def attempts():
    def read(path):
        with open(path) as file:
            file.read(1)

    def write(path):
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)

    return {
        "a socket of the network": lambda: socket.socket().close(),
        "a socket to other programs": lambda: socket.socket(socket.AF_UNIX).close(),
        "the configuration and keys of the runner": lambda: read("/contractual/runner/config.toml"),
        "the state of the runner": lambda: write("/contractual/runner/state/x"),
        "processes in /proc": lambda: read("/proc/self/environ"),
        "a signal to the runner": lambda: os.kill(1, 0),
        "a program in memory": lambda: os.close(os.memfd_create("x")),
    }


def tried():
    outcomes = {}
    for name, attempt in attempts().items():
        try:
            attempt()
            outcomes[name] = "worked"
        except OSError as error:
            outcomes[name] = "refused" if isinstance(error, PermissionError) else str(error)
    return outcomes


if sys.argv[1:] == ["free"]:
    print(json.dumps(tried()))
    sys.exit()
TOOL = {"name": "escape", "description": "Tries to leave the cage.", "inputSchema": {"type": "object", "properties": {}}}
for text in sys.stdin:
    asked = json.loads(text)
    results = {
        "initialize": lambda: {
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "escapes", "version": "1"},
        },
        "tools/list": lambda: {"tools": [TOOL]},
        "tools/call": lambda: {"content": [], "structuredContent": tried()},
    }
    if "id" in asked:
        answer = results.get(asked["method"])
        said = {"result": answer()} if answer else {"error": {"code": -32601, "message": "Method not found"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}), flush=True)
