"""A scripted model on loopback, for the wires of four agents: the nth request of a conversation gets the nth call.

Arguments: FOLDER SCRIPT. SCRIPT is JSON: [[tool, arguments], …]. It prints its port. Each request is kept in FOLDER.
"""

import http.server
import json
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])
SCRIPT = json.loads(sys.argv[2])
LAST = "All done."


def count(value, kind):
    """The results of tools in a conversation."""
    if isinstance(value, list):
        return sum(count(one, kind) for one in value)
    if isinstance(value, dict):
        if value.get("type") == kind or value.get("role") == kind or kind in value:
            return 1
        return sum(count(one, kind) for one in value.values())
    return 0


def find(names, tool):
    return next((name for name in names if name.endswith(tool)), tool)


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


def anthropic(asked):
    usage = {"input_tokens": 1, "output_tokens": 1}
    done = count(asked["messages"], "tool_result")
    message = {"id": f"msg_{done}", "type": "message", "role": "assistant", "model": asked["model"]}
    if asked.get("tools") and done < len(SCRIPT):
        tool, args = SCRIPT[done]
        name = find([one["name"] for one in asked["tools"]], tool)
        block = {"type": "tool_use", "id": f"toolu_{done}", "name": name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(args)}
        reason = "tool_use"
        whole = {**block, "input": args}
    else:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": LAST}
        reason, whole = "end_turn", {"type": "text", "text": LAST}
    if not asked.get("stream"):
        return {**message, "content": [whole], "stop_reason": reason, "stop_sequence": None, "usage": usage}
    empty = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return (
        event("message_start", message=empty)
        + event("content_block_start", index=0, content_block=block)
        + event("content_block_delta", index=0, delta=delta)
        + event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 1})
        + event("message_stop")
    )


def responses(asked):
    done = count(asked["input"], "function_call_output")
    searched = count(asked["input"], "tool_search_output")
    tools = [one.get("name") or one.get("type") for one in asked.get("tools", [])]
    if "tool_search" in tools and not searched:
        words = {"query": "file read write", "limit": 8}
        item = {"type": "tool_search_call", "call_id": "search", "execution": "client", "arguments": words}
    elif done < len(SCRIPT):
        tool, args = SCRIPT[done]
        item = {"type": "function_call", "id": f"fc_{done}", "call_id": f"call_{done}", "name": tool,
                "namespace": "mcp__contractual", "arguments": json.dumps(args)}
    else:
        item = {"type": "message", "id": "msg", "role": "assistant",
                "content": [{"type": "output_text", "text": LAST, "annotations": []}]}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
             "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    response = {"id": f"resp_{done}", "object": "response", "status": "completed", "output": [item], "usage": usage}
    return (
        event("response.created", response={"id": f"resp_{done}"})
        + event("response.output_item.done", output_index=0, item=item)
        + event("response.completed", response=response)
    )


def gemini(asked):
    done = count(asked["contents"], "functionResponse")
    groups = (one.get("functionDeclarations", []) for one in asked.get("tools", []))
    names = [one["name"] for group in groups for one in group]
    if names and done < len(SCRIPT):
        tool, args = SCRIPT[done]
        part = {"functionCall": {"name": find(names, tool), "args": args}}
    else:
        part = {"text": LAST}
    content = {"role": "model", "parts": [part]}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    return f"data: {json.dumps(answer)}\r\n\r\n"


def chat(asked):
    done = count(asked["messages"], "tool")
    names = [one["function"]["name"] for one in asked.get("tools", [])]
    if names and done < len(SCRIPT):
        tool, args = SCRIPT[done]
        function = {"name": find(names, tool), "arguments": json.dumps(args)}
        delta = {"tool_calls": [{"index": 0, "id": f"call_{done}", "type": "function", "function": function}]}
        reason = "tool_calls"
    else:
        delta, reason = {"content": LAST}, "stop"
    begin = {"id": f"chat_{done}", "object": "chat.completion.chunk", "created": 0, "model": asked["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    chunks = [
        {**begin, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]},
        {**begin, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]
    return "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n"


class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kept = 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        Model.kept += 1
        (FOLDER / f"{Model.kept:03}.json").write_bytes(body)
        path = self.path.split("?")[0]
        wires = {"/v1/messages": anthropic, "/v1/responses": responses, "/v1/chat/completions": chat}
        wire = gemini if path.endswith(":streamGenerateContent") else wires.get(path)
        if wire is None:
            return self.answer(404, {"error": {"message": "not a model's path", "code": 404}})
        return self.answer(200, wire(json.loads(body)))

    def answer(self, status, answer):
        kind = "text/event-stream" if isinstance(answer, str) else "application/json"
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(404, {"error": {"message": "not a model's path", "code": 404}})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
print(server.server_address[1], flush=True)
server.serve_forever()
