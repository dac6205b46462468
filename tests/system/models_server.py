"""A model of the tests: it answers by script, and refuses each request that its wire does not permit.

`script.json` in the folder has the wire, the model's id, and a list of answers for each turn: a request is of the turn that its
number of earlier answers says, and gets the next answer of it; the last answer of a turn, and the last turn, are repeated.
It adds each request to `bodies`, and each fault that it finds to `faults`. A request with `stream` gets the events of its wire. With
`hold` in an answer the last third of its events waits until there is a file of that name; with `cut`, the stream breaks off there.
"""

import json
import re
import time

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
    only(body, {"model", "max_tokens", "messages"}, {"system", "tools", "stream"}, "the body")
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
    only(body, {"model", "max_tokens", "messages"}, {"tools", "stream", "stream_options"}, "the body")
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
    only(body, {"model", "max_output_tokens", "instructions", "input", "store", "include"}, {"tools", "stream"}, "the body")
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


def halves(text):
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def anthropic_events(answer):
    message = dict(answer, content=[], stop_reason=None)
    yield {"type": "message_start", "message": message}
    yield {"type": "ping"}
    for index, block in enumerate(answer["content"]):
        kind = block["type"]
        if kind == "text":
            empty, deltas = {"text": ""}, [{"type": "text_delta", "text": half} for half in halves(block["text"])]
        elif kind == "thinking":
            empty = {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            deltas += [{"type": "signature_delta", "signature": block["signature"]}]
        else:
            empty = {"input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves(json.dumps(block["input"]))]
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    usage = {"output_tokens": answer["usage"]["output_tokens"]}
    yield {"type": "message_delta", "delta": {"stop_reason": answer["stop_reason"]}, "usage": usage}
    yield {"type": "message_stop"}


def chat_events(answer):
    def chunk(delta, reason=None):
        return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    for choice in answer["choices"]:
        message = choice["message"]
        yield chunk({"role": "assistant", "content": ""})
        for half in halves(message["content"] or ""):
            yield chunk({"content": half})
        for index, call in enumerate(message.get("tool_calls", [])):
            first, second = halves(call["function"]["arguments"])
            begin = dict(call, index=index, function={"name": call["function"]["name"], "arguments": first})
            yield chunk({"tool_calls": [begin]})
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": second}}]})
        yield chunk({}, choice["finish_reason"])
    if "usage" in answer:
        yield {"id": "chatcmpl-1", "choices": [], "usage": answer["usage"]}
    yield "[DONE]"


def responses_events(answer):
    events = [{"type": "response.created", "response": dict(answer, output=[], status="in_progress")}]
    for index, item in enumerate(answer["output"]):
        if item["type"] == "message":
            for half in halves(item["content"][0]["text"]):
                events.append({"type": "response.output_text.delta", "output_index": index, "delta": half})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": answer})
    return [dict(event, sequence_number=number) for number, event in enumerate(events)]


EVENTS = {"anthropic": anthropic_events, "openai-chat": chat_events, "openai-responses": responses_events}


def framed(event):
    data = event if isinstance(event, str) else json.dumps(event)
    return f"data: {data}\n\n".encode()


def streamed(folder, said, events):
    """The frames of a stream; none at its end if it breaks off."""
    frames = [framed(event) for event in events]
    for number, frame in enumerate(frames):
        if number == len(frames) * 2 // 3:
            while "hold" in said and not (folder / said["hold"]).exists():
                time.sleep(0.01)
            if said.get("cut"):
                yield None
                return
        yield frame


WIRES = {
    "anthropic": ("/v1/messages", "x-api-key", anthropic),
    "openai-responses": ("/v1/responses", "authorization", responses),
    "openai-chat": ("/v1/chat/completions", "authorization", chat),
}


def answer(folder, path, headers, text, log, seen):
    script = json.loads((folder / "script.json").read_text())
    wanted, credential, check = WIRES[script["wire"]]
    log("bodies", text)
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
        log("faults", repr(fault))
        return 400, {"error": repr(fault)}, {}
    turns = script["turns"]
    turn = turns[min(answers, len(turns) - 1)]
    count = COUNTS.get(answers, 0)
    COUNTS[answers] = count + 1
    said = turn[min(count, len(turn) - 1)]
    value = said["body"]
    if said.get("status", 200) == 200 and body.get("stream"):
        value = streamed(folder, said, EVENTS[script["wire"]](value))
    return said.get("status", 200), value, said.get("headers", {})
