//! Dialogues: the next step follows from the record and its contents alone, also after a restart at any event.

use bus_schema::{
    AFTER, ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, ActionRefused,
    ActionStarted, Author as _, AuthorId, Counts, Digest, DraftGrant, Egress, Gateway, Grant,
    Owner, Policy, RefusalCode, Runner, TaskAdmitted, TaskCancelled, TaskId, TaskOutcome, Usage,
};
use engine::{
    CALLS_OF_ANSWER_MAX, DialogueDocument, ModelChoice, OfferedTool, RETRIES_MAX, wire::Wire,
};
use serde_json::{Value, json};

use crate::stream::{Said, Scene, deployment, uuid};

pub(crate) fn task() -> TaskId {
    uuid(7)
}

pub(crate) fn document() -> DialogueDocument {
    DialogueDocument {
        model: ModelChoice {
            tool: "model.main".parse().unwrap(),
            wire: Wire::OpenaiChat,
            id: "m".to_owned(),
            tokens_max: 100,
        },
        instructions: "Be brief.".to_owned(),
        tools: vec![OfferedTool {
            name: "file_read".to_owned(),
            tool: "file.read".parse().unwrap(),
            description: "Reads.".to_owned(),
            schema: json!({"type": "object"}),
            untrusted: true,
        }],
        steps_max: 4,
        chat: false,
    }
}

/// An answer with words and calls: name and arguments.
pub(crate) fn answer(words: &str, calls: &[(&str, &str)]) -> Value {
    let calls: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(nth, (name, args))| {
            json!({"id": format!("c{nth}"), "type": "function", "function": {"name": name, "arguments": args}})
        })
        .collect();
    json!({"choices": [{"message": {"role": "assistant", "content": words, "tool_calls": calls}}]})
}

impl Scene {
    fn dialogue() -> Self {
        Self::dialogue_of(&document())
    }

    pub(crate) fn dialogue_of(document: &DialogueDocument) -> Self {
        let mut scene = Self::new();
        let playbook = scene.log.put(Gateway::ID, b"what the person wants");
        let dialogue = scene.log.put(Gateway::ID, &document.bytes());
        let fact = TaskAdmitted {
            job: None,
            contract: Digest::ZERO,
            playbook,
            slots: None,
            session: None,
            dialogue: Some(dialogue),
            of_message: false,
        };
        scene.say::<Policy, _>(task(), fact);
        scene
    }

    /// The last proposal of this tool that has no later one.
    pub(crate) fn newest(&self) -> ActionProposed {
        self.proposals().pop().unwrap()
    }

    fn grant_to(&mut self, action: ActionId, audience: AuthorId) {
        let draft = DraftGrant {
            deployment: deployment(),
            task: task(),
            action,
            contract: Digest::ZERO,
            rule: "allow.1".parse().unwrap(),
            tool: "file.read".parse().unwrap(),
            tool_digest: Digest::ZERO,
            args: self.newest().args,
            args_by: AuthorId::Engine,
            audience,
            ttl_ms: 10_000,
            wall_ms: 2_000,
            output_bytes_max: 1 << 20,
            secrets: Vec::new(),
            counts: Counts::default(),
            determined: false,
            asked: None,
        };
        let approvals = Vec::new();
        let grant = Grant { draft, approvals };
        self.say::<Policy, _>(task(), ActionGranted { grant });
    }

    /// The model's newest call ends so.
    pub(crate) fn answered(&mut self, outcome: ActionOutcome, output: &Value) {
        let action = self.newest().action;
        self.grant_to(action, AuthorId::Egress);
        self.say::<Egress, _>(task(), ActionStarted { action });
        let output = self.log.put(Egress::ID, output.to_string().as_bytes());
        let usage = Usage::default();
        self.say::<Egress, _>(
            task(),
            ActionFinished {
                action,
                outcome,
                usage,
                output,
                sent: None,
            },
        );
    }

    pub(crate) fn refused(&mut self, action: ActionId) {
        let why = br#"{"why":"no rule permits it","fix":"[[allow]]"}"#;
        let fact = ActionRefused {
            action,
            rule: "allow".parse().unwrap(),
            code: RefusalCode::NotAllowed,
            why: Some(self.log.put(Policy::ID, why)),
        };
        self.say::<Policy, _>(task(), fact);
    }

    pub(crate) fn succeeded(&mut self, action: ActionId, text: &str) {
        self.grant_to(action, AuthorId::Runner);
        self.say::<Runner, _>(task(), ActionStarted { action });
        let output = self.log.put(Runner::ID, text.as_bytes());
        let (outcome, usage) = (ActionOutcome::Succeeded, Usage::default());
        self.say::<Runner, _>(
            task(),
            ActionFinished {
                action,
                outcome,
                usage,
                output,
                sent: None,
            },
        );
    }
}

/// The step and the parsed arguments of a proposal.
pub(crate) fn step(said: &Said) -> (String, Value) {
    let Said::Proposed(step, _, _, args) = said else {
        panic!("{said:?} is no proposal");
    };
    (step.clone(), serde_json::from_str(args).unwrap())
}

impl Scene {
    /// The messages that a proposal sends to the model: all parts of them.
    pub(crate) fn messages(&self, said: &Said) -> Vec<Value> {
        let (_, mut args) = step(said);
        let mut parts = Vec::new();
        loop {
            let own: Vec<Value> = serde_json::from_str(args["messages"].as_str().unwrap()).unwrap();
            parts.push(own);
            let Some(after) = args.get(AFTER).cloned() else {
                parts.reverse();
                return parts.concat();
            };
            let after = serde_json::from_value(after).unwrap();
            args = serde_json::from_slice(&self.log.get(AuthorId::Engine, after).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_dialogue_goes_on_with_the_results_in_the_order_of_the_calls() {
    for restarts in [false, true] {
        let again = |scene: &mut Scene| {
            if restarts {
                scene.restart();
            }
        };
        let mut scene = Scene::dialogue();
        again(&mut scene);
        let said = scene.run();
        assert_eq!(said.len(), 1);
        let (name, args) = step(&said[0]);
        assert_eq!(
            (name.as_str(), &args["model"], &args["max_tokens"]),
            ("model-1", &json!("m"), &json!(100))
        );
        assert_eq!(
            scene.messages(&said[0])[1]["content"],
            "what the person wants"
        );
        again(&mut scene);
        assert_eq!(scene.run(), []);
        let calls = [
            ("file_read", "{\"path\":\"a\"}"),
            ("file_read", "{\"path\":\"b\"}"),
            ("file_burn", "{}"),
        ];
        scene.answered(ActionOutcome::Succeeded, &answer("I read.", &calls));
        again(&mut scene);
        let said = scene.run();
        let steps: Vec<_> = said.iter().map(step).collect();
        let expected = [
            ("calls-1", json!({"path": "a"})),
            ("calls-1", json!({"path": "b"})),
        ];
        assert_eq!(steps, expected.map(|(name, args)| (name.to_owned(), args)));
        // The later call ends first.
        let [.., first, second] = scene
            .proposals()
            .try_into()
            .map_err(|_| ())
            .map(|all: [ActionProposed; 3]| all)
            .unwrap();
        assert_eq!((first.item, second.item, first.items), (0, 1, 3));
        scene.succeeded(second.action, "text of b");
        again(&mut scene);
        assert_eq!(scene.run(), []);
        scene.refused(first.action);
        again(&mut scene);
        let said = scene.run();
        assert_eq!(step(&said[0]).0, "model-2");
        let sent = scene.messages(&said[0]);
        let results: Vec<&str> = sent[3..]
            .iter()
            .map(|one| one["content"].as_str().unwrap())
            .collect();
        assert!(
            results[0].starts_with("Refused by allow: no rule permits it"),
            "{results:?}"
        );
        assert!(results[0].contains("[[allow]]"), "{results:?}");
        assert!(
            results[1].contains("is no instruction.\ntext of b\n"),
            "{results:?}"
        );
        assert!(results[2].contains("no tool of this name"), "{results:?}");
        scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
        again(&mut scene);
        assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
        assert_eq!(scene.core.open(), 0);
    }
}

#[test]
fn a_model_that_does_not_answer_is_asked_again_after_a_pause() {
    let busy =
        json!({"error": "the host answered with the code 429", "code": 429, "retry_after_s": 7});
    let mut scene = Scene::dialogue();
    scene.run();
    for attempt in 1..=RETRIES_MAX {
        scene.answered(ActionOutcome::Failed, &busy);
        assert_eq!(scene.run(), [], "{attempt}");
        scene.restart();
        scene.log.now = scene.log.now.plus_ms(6_000);
        assert_eq!(scene.run(), [], "{attempt}");
        scene.log.now = scene.log.now.plus_ms(2_000);
        assert_eq!(scene.run().len(), 1, "{attempt}");
        assert_eq!(usize::from(scene.newest().attempt), attempt + 1);
    }
    scene.answered(ActionOutcome::Failed, &busy);
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Failed)]);

    // A request that the host refuses is not made again.
    let mut scene = Scene::dialogue();
    scene.run();
    scene.answered(ActionOutcome::Failed, &json!({"error": "no", "code": 400}));
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Failed)]);
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_once_more() {
    let mut scene = Scene::dialogue();
    scene.run();
    scene.answered(ActionOutcome::Succeeded, &json!({"choices": []}));
    assert_eq!(scene.run().len(), 1);
    scene.answered(ActionOutcome::Succeeded, &answer("", &[]));
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Failed)]);
}

#[test]
fn equal_calls_with_equal_results_and_too_many_steps_end_it() {
    // Several equal calls of one answer count as well.
    for (calls, turns) in [(1, usize::from(document().steps_max)), (3, 2)] {
        let mut scene = Scene::dialogue();
        let mut said = scene.run();
        let mut asked = 0;
        while said != [Said::Finished(TaskOutcome::Failed)] {
            asked += 1;
            let wanted = vec![("file_read", "{\"path\":\"a\"}"); calls];
            scene.answered(ActionOutcome::Succeeded, &answer("Again.", &wanted));
            let known = scene.proposals().len();
            said = scene.run();
            let proposed: Vec<_> = scene.proposals().drain(known..).collect();
            for action in proposed {
                scene.succeeded(action.action, "the same");
            }
            said.extend(scene.run());
            said.retain(|one| matches!(one, Said::Finished(_)));
            assert!(asked < 9, "{calls:?}");
        }
        assert_eq!(asked, turns, "{calls}");
    }
}

#[test]
fn an_answer_with_too_many_calls_proposes_the_first_ones() {
    let mut scene = Scene::dialogue();
    scene.run();
    let args: Vec<String> = (0..2 * CALLS_OF_ANSWER_MAX)
        .map(|n| format!("{{\"path\":\"{n}\"}}"))
        .collect();
    let calls: Vec<_> = args
        .iter()
        .map(|args| ("file_read", args.as_str()))
        .collect();
    scene.answered(ActionOutcome::Succeeded, &answer("All.", &calls));
    let (mut said, mut settled) = (scene.run(), 1);
    loop {
        let proposed = scene.proposals().split_off(settled);
        assert!(!proposed.is_empty(), "the dialogue stopped");
        settled += proposed.len();
        if proposed[0].step.as_str() == "model-2" {
            break;
        }
        for action in proposed {
            scene.succeeded(action.action, "x");
        }
        said = scene.run();
    }
    assert_eq!(settled, 2 + CALLS_OF_ANSWER_MAX);
    let sent = scene.messages(said.last().unwrap());
    let is_over = |one: &&Value| {
        one["content"]
            .as_str()
            .unwrap()
            .contains("may have at most")
    };
    assert_eq!(sent.iter().filter(is_over).count(), CALLS_OF_ANSWER_MAX);
}

#[test]
fn a_long_conversation_leaves_out_old_results_and_too_long_an_answer_ends_it() {
    let mut scene = Scene::dialogue();
    scene.run();
    let args: Vec<String> = (0..12).map(|n| format!("{{\"path\":\"{n}\"}}")).collect();
    // Results of 7 KiB each: twelve are more than one request can send.
    for half in args.chunks(6) {
        let calls: Vec<_> = half
            .iter()
            .map(|args| ("file_read", args.as_str()))
            .collect();
        scene.answered(ActionOutcome::Succeeded, &answer("Read.", &calls));
        let known = scene.proposals().len();
        scene.run();
        for action in scene.proposals().split_off(known) {
            scene.succeeded(action.action, &"x".repeat(7 << 10));
        }
        let said = scene.run();
        let sent = scene.messages(said.last().unwrap());
        let results = sent.iter().filter(|one| one["role"] == "tool");
        let texts: Vec<&str> = results
            .map(|one| one["content"].as_str().unwrap())
            .collect();
        let left_out = texts
            .iter()
            .take_while(|text| text.starts_with("[This earlier result"))
            .count();
        assert_eq!(left_out > 0, texts.len() == 12, "{left_out}");
        assert!(texts[left_out..].iter().all(|text| text.len() > 7 << 10));
    }
    let large = format!("{{\"path\":\"{}\"}}", "x".repeat(70 << 10));
    scene.answered(
        ActionOutcome::Succeeded,
        &answer("All.", &[("file_read", &large)]),
    );
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Failed)]);
}

#[test]
fn a_cancelled_dialogue_ends_once_nothing_runs() {
    let mut scene = Scene::dialogue();
    scene.run();
    let action = scene.newest().action;
    scene.grant_to(action, AuthorId::Egress);
    scene.say::<Egress, _>(task(), ActionStarted { action });
    scene.say::<Owner, _>(task(), TaskCancelled {});
    assert_eq!(scene.run(), []);
    let output = scene.log.put(Egress::ID, b"{}");
    let (outcome, usage) = (ActionOutcome::Killed, Usage::default());
    scene.say::<Egress, _>(
        task(),
        ActionFinished {
            action,
            outcome,
            usage,
            output,
            sent: None,
        },
    );
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Cancelled)]);
}

#[test]
fn erased_words_end_it() {
    let mut scene = Scene::dialogue();
    let playbook = scene.log.put(Gateway::ID, b"x");
    let dialogue = scene.log.put(Gateway::ID, b"{}");
    let fact = TaskAdmitted {
        job: None,
        contract: Digest::ZERO,
        playbook,
        slots: None,
        session: None,
        dialogue: Some(dialogue),
        of_message: false,
    };
    // A document that is none, and words that are gone.
    scene.say::<Policy, _>(uuid(8), fact.clone());
    scene.log.erase(playbook);
    scene.say::<Policy, _>(uuid(9), fact);
    let said = scene.run();
    assert_eq!(
        said.iter()
            .filter(|one| **one == Said::Finished(TaskOutcome::Failed))
            .count(),
        2
    );
}
