//! Checks that known sets are read, shown and compared with their values.

use contract::{Contract, diff, show};

const PEOPLE: &str = "[known.people]\nann = \"ann@x.example\"\n\"Bob B.\" = \"bob@y.example\"\n";
const MAIL: &str = "[[allow]]\nname = \"mail\"\ntool = \"mail.send\"\nwhere.to = ";

fn contract(known: &str, bound: &str) -> Contract {
    crate::contract(&format!("{known}\n{MAIL}{bound}"), &crate::tools())
}

#[test]
fn values_are_shown_once_and_sets_by_their_names() {
    let tools = crate::tools();
    let text = show(&contract(PEOPLE, "{ known = \"people\" }"), &tools).text();
    let said = "`people` is \"bob@y.example\" by the name of \"Bob B.\" or \"ann@x.example\" by the name of \"ann\".";
    assert_eq!(text.matches(said).count(), 1, "{text}");
    assert_eq!(text.matches("ann@x.example").count(), 1, "{text}");
    assert!(text.contains("if `to` is one of `people`."), "{text}");
}

#[test]
fn rule_differs_if_a_value_of_its_set_does() {
    let tools = crate::tools();
    let bound = "{ known = \"people\" }";
    let old = contract(PEOPLE, bound);
    let new = contract(&PEOPLE.replace("bob@", "eve@"), bound);
    let found = diff(&old, &new, &tools);
    let [entry] = found.entries.as_slice() else {
        panic!("{}", found.text());
    };
    assert_eq!(
        (entry.rule.as_str(), entry.tools.as_slice()),
        ("mail", &["mail.send".to_owned()][..])
    );
    assert_eq!(
        entry.removed,
        ["known.people.\"Bob B.\" = \"bob@y.example\""]
    );
    assert_eq!(entry.added, ["known.people.\"Bob B.\" = \"eve@y.example\""]);
    assert_ne!(entry.before, entry.after);
}

#[test]
fn sets_that_no_rule_is_about_decide_nothing() {
    let tools = crate::tools();
    let old = contract(PEOPLE, "\"ann@x.example\"");
    let new = contract("", "\"ann@x.example\"");
    assert!(diff(&old, &new, &tools).is_empty());
}
