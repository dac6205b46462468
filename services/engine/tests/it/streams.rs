//! Streams: the events of an answer are read into the same turn as the plain answer, and a broken stream is a fault.

use engine::wire::{self, AnswerFault, ModelTurn, Wire};
use serde_json::{Value, json};

use crate::wires::answers;

/// The data of the events of a recorded stream.
fn recorded(wire: Wire) -> Vec<String> {
    let stream = match wire {
        Wire::Anthropic => include_str!("../streams/anthropic.sse"),
        Wire::OpenaiChat => include_str!("../streams/openai-chat.sse"),
        Wire::OpenaiResponses => include_str!("../streams/openai-responses.sse"),
    };
    let lines = stream.lines();
    lines
        .filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
        .collect()
}

fn turn(wire: Wire, data: &[String]) -> Result<ModelTurn, AnswerFault> {
    let events: Vec<Value> = data.iter().map(|data| json!({"data": data})).collect();
    wire.turn(0, json!({"events": events}).to_string().as_bytes())
}

/// The turn of the plain answer.
fn plain(wire: Wire) -> ModelTurn {
    let [answer, _] = answers(wire);
    wire.turn(0, answer.to_string().as_bytes()).unwrap()
}

fn is_malformed(wire: Wire, data: &[String], what: &str) {
    let fault = turn(wire, data).expect_err(what);
    assert!(
        matches!(fault, AnswerFault::Malformed(_)),
        "{wire} {what}: {fault}"
    );
}

/// Exchanges one text of one event for another.
fn exchanged(wire: Wire, from: &str, to: &str) -> Vec<String> {
    let mut data = recorded(wire);
    let found = data.iter_mut().find(|one| one.contains(from)).unwrap();
    *found = found.replacen(from, to, 1);
    data
}

#[test]
fn a_stream_is_the_turn_of_the_plain_answer() {
    for wire in Wire::ALL {
        let data = recorded(wire);
        assert_eq!(turn(wire, &data).unwrap(), plain(wire), "{wire}");
        let words: String = data.iter().filter_map(|data| wire::words(data)).collect();
        assert_eq!(words, "I read both.", "{wire}");
    }
    assert_eq!(wire::words("no event"), None);
}

#[test]
fn a_stream_that_was_cut_is_a_fault() {
    for wire in Wire::ALL {
        let data = recorded(wire);
        for end in 0..data.len() {
            is_malformed(wire, &data[..end], &format!("cut after {end}"));
        }
    }
}

#[test]
fn a_stream_without_one_of_its_events_is_never_another_turn() {
    for wire in Wire::ALL {
        let data = recorded(wire);
        for left_out in 0..data.len() {
            let mut data = data.clone();
            let event = data.remove(left_out);
            // Parts of texts have no numbers in two wires, so a missing one shortens its text.
            let is_text = [
                wire::words(&event).is_some(),
                event.contains("_delta"),
                event.contains("delta\":{\""),
            ];
            match turn(wire, &data) {
                Err(AnswerFault::Malformed(_)) => {}
                Ok(found) if found == plain(wire) => {}
                other => assert!(is_text.contains(&true), "{wire} {event}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_event_twice_or_out_of_place_is_a_fault() {
    for (wire, numbered) in [
        (Wire::Anthropic, "content_block_st"),
        (Wire::Anthropic, "message_"),
        (Wire::OpenaiChat, "DONE"),
        (Wire::OpenaiResponses, "response."),
    ] {
        let data = recorded(wire);
        for nth in (0..data.len()).filter(|nth| data[*nth].contains(numbered)) {
            let mut twice = data.clone();
            twice.insert(nth, data[nth].clone());
            is_malformed(wire, &twice, &format!("{nth} twice"));
            let Some(next) = data.get(nth + 1).filter(|next| !next.contains("ping")) else {
                continue;
            };
            let mut swapped = data.clone();
            swapped.swap(nth, nth + 1);
            is_malformed(wire, &swapped, &format!("{next} before"));
        }
    }
    let chat = Wire::OpenaiChat;
    // A call whose beginning was lost, one of another message, and a part of another call.
    let data = exchanged(
        chat,
        "\"index\":0,\"id\":\"t1\"",
        "\"index\":1,\"id\":\"t1\"",
    );
    is_malformed(chat, &data, "a call too early");
    let data = exchanged(
        chat,
        "\"index\":0,\"function\"",
        "\"index\":0,\"id\":\"t9\",\"function\"",
    );
    is_malformed(chat, &data, "another call");
    is_malformed(
        chat,
        &exchanged(chat, "chatcmpl-1", "chatcmpl-2"),
        "another message",
    );
    let mut data = recorded(chat);
    let late = data[3].clone();
    data.insert(10, late);
    is_malformed(chat, &data, "words after the end");
}

#[test]
fn an_event_of_an_unknown_kind_is_a_fault() {
    for (wire, from, to) in [
        (Wire::Anthropic, "\"ping\"", "\"pong\""),
        (Wire::Anthropic, "text_delta", "smell_delta"),
        (Wire::OpenaiChat, "\"choices\"", "\"options\""),
        (Wire::OpenaiResponses, "response.created", "reply.created"),
    ] {
        let fault = turn(wire, &exchanged(wire, from, to)).unwrap_err();
        assert!(
            matches!(fault, AnswerFault::Malformed(_)),
            "{wire}: {fault}"
        );
    }
}

#[test]
fn a_stream_says_the_same_faults_as_the_plain_answer() {
    for (wire, from, to) in [
        (
            Wire::Anthropic,
            "tool_use\",\"stop_sequence",
            "max_tokens\",\"stop_sequence",
        ),
        (
            Wire::OpenaiChat,
            "\"finish_reason\":\"tool_calls\"",
            "\"finish_reason\":\"length\"",
        ),
        (
            Wire::OpenaiResponses,
            "\"response.completed\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\"",
            "\"response.incomplete\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"incomplete\"",
        ),
    ] {
        let fault = turn(wire, &exchanged(wire, from, to)).unwrap_err();
        assert!(matches!(fault, AnswerFault::Cut(_)), "{wire}: {fault}");
    }
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
            .to_string();
    for wire in Wire::ALL {
        let mut data = recorded(wire);
        data.insert(3, error.clone());
        let fault = turn(wire, &data).unwrap_err().to_string();
        assert!(fault.contains("Overloaded"), "{wire}: {fault}");
    }
}
