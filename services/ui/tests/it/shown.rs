//! Each page of a record, and each page without anything.

use bus_schema::{
    ActionStarted, Deployment, HaltLifted, HaltOrdered, Owner, Runner, TaskCancelled,
};

use crate::{
    story::Story,
    world::{World, action, task},
};

fn has(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word:?} is not in {html}");
    }
}

#[test]
fn each_page_without_anything_says_what_fills_it() {
    let world = World::new();
    for (address, words) in [
        ("/", ["There are no tasks yet", "contractual demo"]),
        ("/tasks", ["There are no tasks yet", "contractual demo"]),
        (
            "/contracts",
            [
                "You have not signed a contract yet",
                "contractual contract new",
            ],
        ),
        ("/jobs", ["There are no jobs", "contractual job add"]),
        (
            "/secrets",
            ["There are no secrets", "contractual secret set"],
        ),
        ("/tools", ["The catalogue is empty", "contractual tool add"]),
        ("/models", ["There are no models", "contractual model add"]),
        ("/devices", ["No device is paired", "contractual pair"]),
        ("/new", ["No contract is in force", "contractual run"]),
        ("/audit", ["roster.changed", "contractual audit verify"]),
        ("/settings", ["not halted", "contractual halt"]),
    ] {
        has(&world.page(address), &words);
    }
}

#[test]
fn home_shows_what_waits_and_what_was_refused() {
    let story = Story::of("the quarterly figures");
    let (one, call) = (task(1), action(1));
    let home = story.world.page("/");
    let deny = format!("contractual deny {one} {call}");
    let approve = format!("contractual approve {one} {call}");
    has(
        &home,
        &[
            "<title>(1) Home",
            "Waiting for you",
            "the quarterly figures",
            "2027-01-15 08:",
            &approve,
            "Refused today",
            "The smallest change of the contract that would allow it",
            "not-allowed",
        ],
    );
    // Nobody says yes because it stands first.
    assert!(home.find(&deny) < home.find(&approve));
}

#[test]
fn the_question_of_a_cancelled_task_waits_no_more() {
    let mut story = Story::of("x");
    story.world.say::<Owner, _>(task(1), TaskCancelled {});
    let home = story.world.page("/");
    has(&home, &["No question waits for you", "being cancelled"]);
}

#[test]
fn a_question_ends_at_its_deadline() {
    let mut story = Story::of("x");
    story.world.log.now = story.world.log.now.plus_ms(900_000);
    has(&story.world.page("/"), &["No question waits for you"]);
    let page = story.world.page(&format!("/tasks/{}", task(1)));
    has(&page, &["not answered in time"]);
}

#[test]
fn a_task_shows_its_actions_with_rule_usage_labels_and_output() {
    let story = Story::of("the quarterly figures");
    let page = story.world.page(&format!("/tasks/{}", task(2)));
    has(
        &page,
        &[
            "failed",
            "file.write",
            "by rule",
            "1.2 s",
            "untrusted",
            "Output",
            "refused",
            "Proof",
        ],
    );
    let rejected = story.world.page(&format!("/tasks/{}", task(3)));
    has(
        &rejected,
        &["rejected", "the values of the slots do not fit"],
    );
}

#[test]
fn a_claim_of_another_executor_starts_nothing() {
    let mut story = Story::of("x");
    let started = ActionStarted { action: action(1) };
    story.world.say::<Runner, _>(task(1), started);
    let page = story.world.page(&format!("/tasks/{}", task(1)));
    has(&page, &["asks you"]);
    assert!(!page.contains("</i>running"), "{page}");
}

#[test]
fn a_contract_is_shown_in_sentences_beside_its_text() {
    let story = Story::of("Keep the files in order");
    let page = story.world.page("/contracts/filing");
    has(
        &page,
        &[
            "In sentences",
            "What it may do after a yes",
            "Keep the files in order.",
            "contract = &quot;filing&quot;",
        ],
    );
    let bad = story.world.page("/contracts/bad");
    has(
        &bad,
        &[
            "suspended",
            "the text cannot be read",
            "Keep the files in order",
        ],
    );
}

#[test]
fn a_halt_is_on_the_first_page_and_in_settings() {
    let mut story = Story::of("x");
    story.world.say::<Owner, _>(Deployment, HaltOrdered {});
    for address in ["/", "/settings"] {
        has(
            &story.world.page(address),
            &["You halted everything at", "contractual resume"],
        );
    }
    story.world.say::<Owner, _>(Deployment, HaltLifted {});
    has(&story.world.page("/settings"), &["not halted"]);
}

#[test]
fn the_record_is_filtered_and_paged() {
    let story = Story::of("x");
    let page = story
        .world
        .page(&format!("/audit?task={}&kind=action.", task(2)));
    has(&page, &["action.granted", "action.refused"]);
    assert!(!page.contains("<strong>task.finished"), "{page}");
    let page = story.world.page("/audit?by=owner");
    assert!(!page.contains("<strong>action."), "{page}");
    let page = story.world.page("/audit?before=3");
    has(&page, &["roster.changed", "catalogue.signed"]);
    assert!(!page.contains("contract.signed</strong>"), "{page}");
}

#[test]
fn an_erased_content_is_shown_as_erased() {
    let mut story = Story::of("the quarterly figures");
    let page = story.world.page(&format!("/tasks/{}", task(2)));
    has(&page, &["<pre tabindex=\"0\">the quarterly figures</pre>"]);
    story.world.log.contents.clear();
    let page = story.world.page(&format!("/tasks/{}", task(2)));
    has(&page, &["These bytes were erased"]);
    assert!(!page.contains("the quarterly figures"), "{page}");
}

#[test]
fn the_same_page_is_sent_once_and_a_changed_one_again() {
    let mut story = Story::of("x");
    let first = story.world.ask("/tasks", None);
    let again = story.world.ask("/tasks", Some(&first.validator));
    assert_eq!((again.status, again.body.len()), (304, 0));
    story.world.say::<Owner, _>(Deployment, HaltOrdered {});
    let changed = story.world.ask("/tasks", Some(&first.validator));
    assert_eq!(changed.status, 200);
}

#[test]
fn what_is_not_on_the_record_has_no_page() {
    let story = Story::of("x");
    for (address, status) in [
        (format!("/tasks/{}", task(9)), 404),
        ("/contracts/other".to_owned(), 404),
        ("/contracts/filing?version=7".to_owned(), 404),
        ("/none".to_owned(), 404),
        ("/tasks/1".to_owned(), 400),
        ("/audit?before=x".to_owned(), 400),
        ("/tasks?page=-1".to_owned(), 400),
        (format!("/audit?kind={}", "x".repeat(600)), 400),
    ] {
        assert_eq!(story.world.ask(&address, None).status, status, "{address}");
    }
}
