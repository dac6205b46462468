"""A model of the tests: it answers by script, and refuses each request that its wire does not permit.

`script.json` in the folder has the wire, the model's id, and a list of answers for each turn: a request is of the turn that its
number of earlier answers says, and gets the next answer of it; the last answer of a turn, and the last turn, are repeated.
It adds each request to `bodies`, and each fault that it finds to `faults`.
"""

import json
import re

NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
COUNTS = {}


class Fault(Exception):
    pass


def need(what, said):
    if not what:
        raise Fault(said)


def only(value, required, optional, where):
    need(isinstance(value, dict), f"{where} is no object")
    keys = set(value)
    need(required <= keys <= required | optional, f"{where} has {sorted(keys)}")


def anthropic(body):
    only(body, {"model", "max_tokens", "messages"}, {"system", "tools"}, "the body")
    for tool in body.get("tools", []):
        only(tool, {"name", "description", "input_schema"}, set(), "a tool")
    calls, answers = [], 0
    for number, message in enumerate(body["messages"]):
        only(message, {"role", "content"}, set(), "a message")
        need(message["role"] == ["user", "assistant"][number % 2], "the roles do not alternate")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(blocks, "a message is empty")
        kinds = [block["type"] for block in blocks]
        if message["role"] == "assistant":
            answers += 1
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            for block in blocks:
                if block["type"] == "thinking":
                    need(block["signature"] == "signed:" + block["thinking"], "reasoning was changed")
        else:
            need(not calls or set(kinds) == {"tool_result"}, "results are not right behind their calls")
            results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            for block in blocks:
                if block["type"] == "tool_result":
                    only(block, {"type", "tool_use_id", "content"}, {"is_error"}, "a result")
            need(results == calls, f"the results {results} are not those of {calls}")
            calls = []
    need(body["messages"][-1]["role"] == "user", "the last message is not the user's")
    return [tool["name"] for tool in body.get("tools", [])], answers


def chat(body):
    only(body, {"model", "max_tokens", "messages"}, {"tools"}, "the body")
    names = []
    for tool in body.get("tools", []):
        only(tool, {"type", "function"}, set(), "a tool")
        only(tool["function"], {"name", "description", "parameters"}, set(), "a function")
        names.append(tool["function"]["name"])
    need(body["messages"][0]["role"] == "system", "the first message is not the system's")
    open_calls, answers = [], 0
    for message in body["messages"]:
        if message["role"] == "tool":
            only(message, {"role", "tool_call_id", "content"}, set(), "a result")
            need(open_calls and open_calls.pop(0) == message["tool_call_id"], "a result without its call")
            continue
        need(not open_calls, f"the calls {open_calls} have no results")
        if message["role"] == "assistant":
            answers += 1
            for call in message.get("tool_calls", []):
                only(call, {"id", "type", "function"}, set(), "a call")
                need(isinstance(call["function"]["arguments"], str), "arguments are no text")
                open_calls.append(call["id"])
    need(not open_calls, f"the calls {open_calls} have no results")
    return names, answers


def responses(body):
    only(body, {"model", "max_output_tokens", "instructions", "input", "store", "include"}, {"tools"}, "the body")
    need(body["store"] is False, "the answer is stored")
    names = []
    for tool in body.get("tools", []):
        only(tool, {"type", "name", "description", "parameters", "strict"}, set(), "a tool")
        names.append(tool["name"])
    open_calls, answers, before = [], 0, None
    for item in body["input"]:
        kind = item.get("type", "words")
        if kind == "function_call_output":
            only(item, {"type", "call_id", "output"}, set(), "a result")
            need(open_calls and open_calls.pop(0) == item["call_id"], "a result without its call")
        else:
            need(before != "function_call_output" or not open_calls, f"the calls {open_calls} have no results")
            if kind == "reasoning":
                answers += 1
                need(item["encrypted_content"] == "signed", "reasoning was changed")
            if kind == "function_call":
                open_calls.append(item["call_id"])
        before = kind
    need(not open_calls, f"the calls {open_calls} have no results")
    return names, answers


WIRES = {
    "anthropic": ("/v1/messages", "x-api-key", anthropic),
    "openai-responses": ("/v1/responses", "authorization", responses),
    "openai-chat": ("/v1/chat/completions", "authorization", chat),
}


def answer(folder, path, headers, text, seen):
    script = json.loads((folder / "script.json").read_text())
    wanted, credential, check = WIRES[script["wire"]]
    with open(folder / "bodies", "a") as bodies:
        bodies.write(text + "\n")
    try:
        need(path == wanted, f"the path is {path}")
        need(headers.get(credential), "there is no credential")
        seen(headers[credential])
        if script["wire"] == "anthropic":
            need(headers.get("anthropic-version") == "2023-06-01", "there is no version")
        body = json.loads(text)
        need(body["model"] == script["model"], f"the model is {body['model']}")
        names, answers = check(body)
        need(len(names) == len(set(names)) and all(map(NAME.match, names)), f"the names {names}")
    except (Fault, KeyError, TypeError, IndexError, ValueError) as fault:
        with open(folder / "faults", "a") as faults:
            faults.write(repr(fault) + "\n")
        return 400, {"error": repr(fault)}, {}
    turns = script["turns"]
    turn = turns[min(answers, len(turns) - 1)]
    count = COUNTS.get(answers, 0)
    COUNTS[answers] = count + 1
    said = turn[min(count, len(turn) - 1)]
    return said.get("status", 200), said["body"], said.get("headers", {})
