//! Wires: what is sent stands in golden files, and what came back is read in one way, broken answers included.

use std::fs;

use engine::wire::{AnswerFault, Message, Offer, Wire, WireResult};
use serde_json::{Value, json};

/// Each wire with an answer of two calls, and the next one of words.
pub(crate) fn answers(wire: Wire) -> [Value; 2] {
    match wire {
        Wire::Anthropic => [
            json!({
                "type": "message", "role": "assistant", "stop_reason": "tool_use",
                "content": [
                    {"type": "thinking", "thinking": "Two files.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "eA=="},
                    {"type": "text", "text": "I read both."},
                    {"type": "tool_use", "id": "t1", "name": "file_read", "input": {"path": "a.txt"}},
                    {"type": "tool_use", "id": "t2", "name": "file_read", "input": {"path": "b.txt"}},
                ],
            }),
            json!({
                "type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": "Both are "}, {"type": "text", "text": "empty."}],
            }),
        ],
        Wire::OpenaiChat => [
            json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": "I read both.", "refusal": null, "annotations": [],
                "reasoning_content": "Two files.",
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "file_read", "arguments": "{\"path\":\"a.txt\"}"}},
                    {"index": 1, "function": {"name": "file_read", "arguments": "{\"path\":\"b.txt\"}"}},
                ],
            }}]}),
            json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "Both are empty.",
            }}]}),
        ],
        Wire::OpenaiResponses => [
            json!({"status": "completed", "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2ln"},
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "I read both.", "annotations": [], "logprobs": []},
                ]},
                {"type": "function_call", "id": "fc_1", "call_id": "t1", "name": "file_read", "arguments": "{\"path\":\"a.txt\"}"},
                {"type": "function_call", "id": "fc_2", "call_id": "t2", "name": "file_read", "arguments": "{\"path\":\"b.txt\"}"},
            ]}),
            json!({"status": "completed", "output": [
                {"type": "message", "id": "msg_2", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "Both are empty.", "annotations": [], "logprobs": []},
                ]},
            ]}),
        ],
    }
}

#[test]
fn golden_conversations_are_what_each_wire_sends() {
    let schema =
        json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    let offers = [Offer {
        name: "file_read",
        description: "Reads a file.",
        schema: &schema,
    }];
    for wire in Wire::ALL {
        let [calls, words] = answers(wire);
        let first = wire.turn(0, calls.to_string().as_bytes()).unwrap();
        assert_eq!(first.text, "I read both.");
        let args: Vec<_> = first
            .calls
            .iter()
            .map(|call| call.args.clone().unwrap())
            .collect();
        assert_eq!(
            args,
            [json!({"path": "a.txt"}), json!({"path": "b.txt"})]
                .map(|args| { args.as_object().unwrap().clone() })
        );
        let result = |nth: usize, is_error| WireResult {
            id: first.calls[nth].id.clone(),
            text: "nothing".to_owned(),
            is_error,
        };
        let messages = [
            Message::Words("Read a.txt and b.txt".to_owned()),
            Message::Answer(first.clone()),
            Message::Results(vec![result(0, false), result(1, true)]),
        ];
        let said = wire.conversation("Be brief.", &offers, &messages);
        let golden = json!({"system": said.system, "messages": said.messages, "tools": said.tools});
        // In one order of members, whatever the build of the library keeps.
        let golden: Value = serde_json::from_slice(&bus_schema::json::canonical(&golden)).unwrap();
        let golden = format!("{golden:#}\n");
        let file = format!("{}/tests/golden/{wire}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("GOLDEN").is_some_and(|how| how == "write") {
            fs::write(&file, &golden).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            golden,
            "{wire}: `just golden` writes it"
        );
        let last = wire.turn(1, words.to_string().as_bytes()).unwrap();
        assert_eq!(
            (last.text.as_str(), last.calls.len()),
            ("Both are empty.", 0)
        );
        assert_eq!(wire.conversation("x", &[], &messages[..1]).tools, None);
        assert_eq!(wire.to_string().parse(), Ok(wire));
    }
    assert!("x".parse::<Wire>().is_err());
}

/// A change that breaks an answer of two calls.
type Break = fn(&mut Value);
/// A property of the fault that follows.
type IsFault = fn(&AnswerFault) -> bool;

const MALFORMED: IsFault = |fault| matches!(fault, AnswerFault::Malformed(_));
const CUT: IsFault = |fault| matches!(fault, AnswerFault::Cut(_));
const REFUSED: IsFault = |fault| matches!(fault, AnswerFault::Refused(_));

/// Checks the fault of each broken answer, and of half an answer.
fn check(wire: Wire, breaks: &[(Break, IsFault)]) {
    for (nth, (apply, is)) in breaks.iter().enumerate() {
        let [mut answer, _] = answers(wire);
        apply(&mut answer);
        let fault = wire.turn(0, answer.to_string().as_bytes()).unwrap_err();
        assert!(is(&fault), "{wire} {nth}: {fault}");
    }
    let whole = answers(wire)[0].to_string();
    let half = &whole.as_bytes()[..whole.len() / 2];
    assert!(MALFORMED(&wire.turn(0, half).unwrap_err()));
}

#[test]
fn a_broken_message_is_a_fault_of_its_kind() {
    check(
        Wire::Anthropic,
        &[
            (|answer| answer["role"] = json!("user"), MALFORMED),
            (|answer| answer["content"] = json!([]), MALFORMED),
            (|answer| answer["content"][4]["id"] = json!("t1"), MALFORMED),
            (
                |answer| answer["content"][3]["name"] = Value::Null,
                MALFORMED,
            ),
            (
                |answer| answer["stop_reason"] = json!("pause_turn"),
                MALFORMED,
            ),
            (|answer| answer["stop_reason"] = json!("max_tokens"), CUT),
            (|answer| answer["stop_reason"] = json!("refusal"), REFUSED),
        ],
    );
}

#[test]
fn a_broken_completion_is_a_fault_of_its_kind() {
    check(
        Wire::OpenaiChat,
        &[
            (|answer| answer["choices"] = json!([]), MALFORMED),
            (
                |answer| answer["choices"][0]["message"] = json!({"content": " "}),
                MALFORMED,
            ),
            (
                |answer| answer["choices"][0]["message"]["tool_calls"][1]["id"] = json!("t1"),
                MALFORMED,
            ),
            (
                |answer| answer["choices"][0]["finish_reason"] = json!("length"),
                CUT,
            ),
            (
                |answer| answer["choices"][0]["finish_reason"] = json!("content_filter"),
                REFUSED,
            ),
            (
                |answer| answer["choices"][0]["message"]["refusal"] = json!("No."),
                REFUSED,
            ),
        ],
    );
}

#[test]
fn a_broken_response_is_a_fault_of_its_kind() {
    check(
        Wire::OpenaiResponses,
        &[
            (|answer| answer["status"] = json!("failed"), MALFORMED),
            (|answer| answer["output"] = json!([]), MALFORMED),
            (
                |answer| answer["output"][3]["call_id"] = json!("t1"),
                MALFORMED,
            ),
            (|answer| answer["status"] = json!("incomplete"), CUT),
            (
                |answer| {
                    answer["status"] = json!("incomplete");
                    answer["incomplete_details"] = json!({"reason": "content_filter"});
                },
                REFUSED,
            ),
            (
                |answer| {
                    answer["output"][1]["content"][0] = json!({"type": "refusal", "refusal": "No."})
                },
                REFUSED,
            ),
        ],
    );
}

#[test]
fn broken_arguments_are_an_error_of_their_call_alone() {
    let [mut answer, _] = answers(Wire::OpenaiChat);
    let function = &mut answer["choices"][0]["message"]["tool_calls"][0]["function"];
    function["arguments"] = json!("{\"path\": ");
    let turn = Wire::OpenaiChat
        .turn(3, answer.to_string().as_bytes())
        .unwrap();
    assert!(turn.calls[0].args.is_err());
    assert!(turn.calls[1].args.is_ok());
    // A call without an id has one of its place, the same each time.
    assert_eq!(turn.calls[1].id, "call_3_1");
}
