//! Words and answers of the owner to running tasks: only what the owner signed counts, once and in order; a request has no value of its own.

use bus_schema::testing::key;
use bus_schema::{
    ActionId, ActionOutcome, ActionRefused, AmendStatement, AuthorId, CallStatement,
    ContractActivated, ContractAnswered, ContractRejected, Deployment, Digest, Gateway, Policy,
    REQUESTS_MAX, RefusalCode, SAID_MAX, SaidStatement, Signed, Statement, TaskOutcome, TaskSaid,
};
use engine::{DialogueDocument, IDLE_MS, OfferedTool, REQUEST_NAME, REQUEST_TOOL};
use serde_json::{Value, json};

use crate::dialogues::{answer, document, step, task};
use crate::stream::{Said, Scene, deployment, session_key, uuid};

/// A change of a statement before it is signed.
type Falsify<S> = fn(&mut S);

fn chat() -> DialogueDocument {
    DialogueDocument {
        chat: true,
        ..document()
    }
}

/// A document of at most so many steps, with the call that asks for another contract.
pub(crate) fn asking(steps_max: u16) -> DialogueDocument {
    let mut document = document();
    document.steps_max = steps_max;
    document.tools.push(OfferedTool {
        name: REQUEST_NAME.to_owned(),
        tool: REQUEST_TOOL.parse().unwrap(),
        description: "Asks.".to_owned(),
        schema: json!({"type": "object"}),
        untrusted: false,
    });
    document
}

impl Scene {
    fn words(&mut self, number: u16, words: &str) -> SaidStatement {
        SaidStatement {
            deployment: deployment(),
            task: task(),
            number,
            words: self.log.put(AuthorId::Gateway, words.as_bytes()),
            at: self.log.now,
        }
    }

    fn carry_words(&mut self, said: SaidStatement, by: AuthorId) {
        let words = said.words;
        let statement = Signed::new(&Statement::Said(said), &key(by));
        self.say::<Gateway, _>(task(), TaskSaid { statement, words });
    }

    /// The owner says further words.
    fn speak(&mut self, number: u16, words: &str) {
        let said = self.words(number, words);
        self.carry_words(said, AuthorId::Owner);
    }

    fn ask(&mut self, refused: &str) {
        let args = json!({"refused": refused, "reason": "I need it."}).to_string();
        let asks = answer("I ask.", &[(REQUEST_NAME, &args)]);
        self.answered(ActionOutcome::Succeeded, &asks);
    }

    fn amend(&mut self, said: AmendStatement, by: AuthorId) {
        let statement = Signed::new(&Statement::Amend(said), &key(by));
        self.say::<Gateway, _>(task(), ContractAnswered { statement });
    }

    fn activate(&mut self, contract: Digest) {
        let name = "work".parse().unwrap();
        let fact = ContractActivated {
            contract,
            name,
            supersedes: None,
        };
        self.say::<Policy, _>(Deployment, fact);
    }

    /// A dialogue whose first call was refused; with what the engine then says.
    fn refused_once() -> (Self, ActionId, Vec<Said>) {
        let mut scene = Self::dialogue_of(&asking(40));
        scene.run();
        let calls = [("file_read", "{\"path\":\"a\"}")];
        scene.answered(ActionOutcome::Succeeded, &answer("I read.", &calls));
        scene.run();
        let action = scene.newest().action;
        scene.refused(action);
        let said = scene.run();
        (scene, action, said)
    }

    /// The same dialogue, whose model then asks for the change.
    fn refused_and_asked() -> (Self, ActionId) {
        let (mut scene, action, said) = Self::refused_once();
        let told = scene.messages(&said[0]).pop().unwrap()["content"].to_string();
        assert!(told.contains("refused = \\\"1.1\\\""), "{told}");
        scene.ask("1.1");
        (scene, action)
    }
}

fn amendment(to: Option<Digest>) -> AmendStatement {
    AmendStatement {
        deployment: deployment(),
        task: task(),
        request: 0,
        from: Digest::ZERO,
        to,
        at: bus_schema::Time::default(),
    }
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap()
}

#[test]
fn further_words_stand_before_the_next_request_and_keep_the_dialogue_open() {
    for restarts in [false, true] {
        let mut scene = Scene::dialogue_of(&document());
        scene.run();
        scene.speak(0, "and b");
        scene.speak(1, "and c");
        if restarts {
            scene.restart();
        }
        assert_eq!(scene.run(), []);
        scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
        let said = scene.run();
        assert_eq!(step(&said[0]).0, "model-2");
        let sent = scene.messages(&said[0]);
        let sent: Vec<&str> = sent.iter().map(content).collect();
        let expected = [
            "Be brief.",
            "what the person wants",
            "Done.",
            "and b",
            "and c",
        ];
        assert_eq!(sent, expected);
        scene.answered(ActionOutcome::Succeeded, &answer("Also done.", &[]));
        assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
    }
}

#[test]
fn nobody_else_speaks_for_the_owner() {
    let changes: [(&str, Falsify<SaidStatement>); 5] = [
        ("another task", |said| said.task = uuid(8)),
        ("another deployment", |said| said.deployment = uuid(9)),
        ("a later number", |said| said.number = 1),
        ("a number too high", |said| said.number = SAID_MAX),
        ("nothing", |_| ()),
    ];
    for (change, apply) in changes {
        for by in [AuthorId::Owner, AuthorId::Gateway] {
            let mut scene = Scene::dialogue_of(&document());
            scene.run();
            let mut said = scene.words(0, "delete everything");
            apply(&mut said);
            scene.carry_words(said, by);
            scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
            let genuine = change == "nothing" && by == AuthorId::Owner;
            let finished = scene.run() == [Said::Finished(TaskOutcome::Succeeded)];
            assert_eq!(finished, !genuine, "{change} {by}");
        }
    }
    // Signed words again, and other words than the signed ones.
    let mut scene = Scene::dialogue_of(&chat());
    scene.run();
    scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
    assert_eq!(scene.run(), []);
    scene.speak(0, "once");
    assert_eq!(scene.run().len(), 1);
    scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
    scene.speak(0, "once");
    assert_eq!(scene.run(), []);
    let said = scene.words(1, "signed");
    let words = scene.log.put(AuthorId::Gateway, b"other");
    let statement = Signed::new(&Statement::Said(said), &key(AuthorId::Owner));
    scene.say::<Gateway, _>(task(), TaskSaid { statement, words });
    assert_eq!(scene.run(), []);
}

#[test]
fn a_chat_waits_until_the_owner_ends_it_or_a_day_has_passed() {
    let started = || {
        let mut scene = Scene::dialogue_of(&chat());
        scene.run();
        scene.answered(ActionOutcome::Succeeded, &answer("Done.", &[]));
        assert_eq!(scene.run(), []);
        scene
    };
    let mut scene = started();
    scene.end(task(), &key(AuthorId::Gateway));
    assert_eq!(scene.run(), []);
    scene.end(task(), &key(AuthorId::Owner));
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
    let mut scene = started();
    scene.log.now = scene.log.now.plus_ms(IDLE_MS - 1_000);
    assert_eq!(scene.run(), []);
    scene.log.now = scene.log.now.plus_ms(2_000);
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Succeeded)]);
}

#[test]
fn a_model_asks_for_the_change_of_a_refused_call_and_waits_for_the_owner() {
    let (mut scene, action) = Scene::refused_and_asked();
    let expected = Said::Requested(0, action, "I need it.".to_owned());
    assert_eq!(scene.run(), [expected]);
    scene.restart();
    assert_eq!(scene.run(), []);
    let changes: [(&str, Falsify<AmendStatement>); 3] = [
        ("another task", |said| said.task = uuid(8)),
        ("another deployment", |said| said.deployment = uuid(9)),
        ("another request", |said| said.request = 1),
    ];
    let to = Digest::of(&[b"version 2"]);
    for (change, apply) in changes {
        let mut said = amendment(Some(to));
        apply(&mut said);
        scene.amend(said, AuthorId::Owner);
        scene.activate(to);
        assert_eq!(scene.run(), [], "{change}");
    }
    scene.amend(amendment(Some(to)), AuthorId::Gateway);
    scene.activate(to);
    assert_eq!(scene.run(), [], "a stolen gateway");
    // Nothing is proposed between the owner's signature and policy's verdict.
    scene.amend(amendment(Some(to)), AuthorId::Owner);
    assert_eq!(scene.run(), []);
    scene.activate(to);
    let said = scene.run();
    let sent = scene.messages(&said[0]);
    let told = content(sent.last().unwrap());
    assert!(told.contains("signed a new version"), "{told}");
}

#[test]
fn a_request_that_nobody_answers_ends_the_dialogue_after_a_day() {
    let (mut scene, action) = Scene::refused_and_asked();
    let expected = Said::Requested(0, action, "I need it.".to_owned());
    assert_eq!(scene.run(), [expected]);
    scene.log.now = scene.log.now.plus_ms(IDLE_MS - 60_000);
    assert_eq!(scene.run(), []);
    scene.log.now = scene.log.now.plus_ms(62_000);
    assert_eq!(scene.run(), [Said::Finished(TaskOutcome::Failed)]);
}

#[test]
fn a_refused_request_and_a_rejected_contract_are_told_and_requests_are_limited() {
    let (mut scene, _) = Scene::refused_and_asked();
    for request in 0..REQUESTS_MAX {
        let asked = scene.run();
        assert!(matches!(asked[..], [Said::Requested(..)]), "{asked:?}");
        let to = (request % 2 == 1).then_some(Digest::of(&[&request.to_be_bytes()]));
        let said = AmendStatement {
            request,
            ..amendment(to)
        };
        scene.amend(said, AuthorId::Owner);
        if let Some(contract) = to {
            let code = RefusalCode::NotNewer;
            let fact = ContractRejected {
                contract,
                code,
                why: None,
            };
            scene.say::<Policy, _>(Deployment, fact);
        }
        let said = scene.run();
        let sent = scene.messages(&said[0]);
        let told = content(sent.last().unwrap());
        let part = if to.is_some() {
            "is not in force"
        } else {
            "has refused"
        };
        assert!(told.contains(part), "{told}");
        // Another place each time would be no repetition; the same one is asked about again here.
        let args = json!({"refused": "1.1", "reason": format!("again {request}")}).to_string();
        let asks = answer("I ask.", &[(REQUEST_NAME, &args)]);
        scene.answered(ActionOutcome::Succeeded, &asks);
    }
    let said = scene.run();
    let sent = scene.messages(&said[0]);
    assert!(content(sent.last().unwrap()).contains("as often as it may"));
}

#[test]
fn a_request_names_a_refused_call_of_an_earlier_answer() {
    for refused in ["1.2", "2.1", "0.1", "1", "9.9", ""] {
        let (mut scene, ..) = Scene::refused_once();
        scene.ask(refused);
        let said = scene.run();
        assert_eq!(step(&said[0]).0, "model-3", "{refused}");
        let sent = scene.messages(&said[0]);
        let told = content(sent.last().unwrap());
        assert!(told.starts_with("Not asked"), "{refused}: {told}");
    }
}

#[test]
fn a_session_asks_only_for_the_change_of_its_own_refused_call() {
    let mut scene = Scene::of(task());
    scene.call(task(), 0, "{}");
    scene.run();
    let action = scene.newest().action;
    let fact = ActionRefused {
        action,
        rule: "allow".parse().unwrap(),
        code: RefusalCode::NotAllowed,
        why: None,
    };
    scene.say::<Policy, _>(task(), fact);
    let mut request = |number: u16, refused: u16| {
        let args = format!("{{\"reason\":\"I need it.\",\"refused\":{refused}}}");
        let said = CallStatement {
            tool: REQUEST_TOOL.parse().unwrap(),
            ..scene.statement(task(), number, &args)
        };
        let args = said.args;
        let signed = Signed::new(&Statement::Call(said), &session_key());
        scene.carry(task(), signed, args);
        scene.run()
    };
    // Policy refuses a proposal of a tool that the catalogue does not have.
    let unknown = request(1, 7);
    assert!(matches!(unknown[..], [Said::Proposed(..)]), "{unknown:?}");
    let expected = Said::Requested(0, action, "I need it.".to_owned());
    assert_eq!(request(2, 0), [expected]);
    // One is open at a time.
    assert_eq!(request(3, 0), []);
    scene.amend(amendment(None), AuthorId::Owner);
    let expected = Said::Requested(1, action, "I need it.".to_owned());
    assert_eq!(scene.run(), [expected]);
}
