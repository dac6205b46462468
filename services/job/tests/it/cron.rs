//! Cron expressions: their fields, and the errors of those that are none.

use jiff::civil::{DateTime, date};
use job::Cron;

fn cron(text: &str) -> Cron {
    text.parse().expect("a cron expression")
}

fn refused(text: &str) -> String {
    text.parse::<Cron>().expect_err("none").to_string()
}

fn next(text: &str, after: DateTime) -> DateTime {
    cron(text).next(after).expect("a time")
}

#[test]
fn five_fields_and_six() {
    let start = date(2027, 1, 1).at(0, 0, 0, 0);
    assert_eq!(next("30 9 * * *", start), date(2027, 1, 1).at(9, 30, 0, 0));
    assert_eq!(
        next("15 30 9 * * *", start),
        date(2027, 1, 1).at(9, 30, 15, 0)
    );
    assert_eq!(
        next("*/10 * * * * *", start),
        date(2027, 1, 1).at(0, 0, 10, 0)
    );
    assert_eq!(next("@daily", start), date(2027, 1, 2).at(0, 0, 0, 0));
    assert_eq!(next("@yearly", start), date(2028, 1, 1).at(0, 0, 0, 0));
    assert_eq!(
        next("0 0 29 feb *", start),
        date(2028, 2, 29).at(0, 0, 0, 0)
    );
    assert_eq!(next("0 0 L * *", start), date(2027, 1, 31).at(0, 0, 0, 0));
    assert_eq!(next("0 0 * * 7", start), date(2027, 1, 3).at(0, 0, 0, 0));
    assert_eq!(
        next("0 0 * * fri-sun", start),
        date(2027, 1, 2).at(0, 0, 0, 0)
    );
    assert_eq!(
        next("0 0 ? * SatL", start),
        date(2027, 1, 30).at(0, 0, 0, 0)
    );
    assert_eq!(cron(" 0  9 * * *").to_string(), " 0  9 * * *");
}

#[test]
fn the_previous_time_is_strictly_before() {
    let one = cron("0 9 * * *");
    let nine = date(2027, 1, 5).at(9, 0, 0, 0);
    assert_eq!(one.previous(nine), Some(date(2027, 1, 4).at(9, 0, 0, 0)));
    assert_eq!(one.previous(date(2027, 1, 5).at(9, 0, 0, 1)), Some(nine));
    assert_eq!(one.previous(date(2027, 1, 5).at(9, 0, 1, 0)), Some(nine));
    let second = cron("59 59 23 31 dec *");
    let end = date(2027, 12, 31).at(23, 59, 59, 999_999_999);
    assert_eq!(
        second.previous(end),
        Some(date(2027, 12, 31).at(23, 59, 59, 0))
    );
}

#[test]
fn an_expression_that_never_comes_true_is_refused() {
    for never in ["0 0 30 feb *", "0 0 31 2,4,6,9,11 *", "* * * 30 2 ?"] {
        let said = refused(never);
        assert!(said.contains("never comes true"), "{said}");
        assert!(said.contains("write a day that the months have"), "{said}");
    }
}

#[test]
fn each_error_says_what_to_write() {
    for (text, problem, fix) in [
        ("", "has 0 fields", "write five"),
        ("* * * *", "has 4 fields", "write five"),
        ("0 0 * * * * 2027", "has 7 fields", "write five"),
        ("60 * * * *", "`60` is no minute", "write 0 to 59"),
        ("* 24 * * *", "`24` is no hour", "write 0 to 23"),
        ("* * 0 * *", "`0` is no day of the month", "write 1 to 31"),
        ("* * * 13 *", "`13` is no month", "jan to dec"),
        ("* * * * mo", "`mo` is no weekday", "sun to sat"),
        ("* * * * 8", "`8` is no weekday", "0 and 7 are Sunday"),
        ("*/0 * * * *", "`*/0` is no minute", "a step such as */5"),
        ("+5 * * * *", "`+5` is no minute", "write 0 to 59"),
        ("1,,2 * * * *", "`` is no minute", "a list"),
        ("5-1 * * * *", "ends before it begins", "write it as two"),
        ("0 0 * * fri#6", "names no weekday", "fri#1 to fri#5"),
        ("0 0 * * #2", "`` is no weekday", "sun to sat"),
        ("@reboot", "has 1 fields", "write five"),
    ] {
        let said = refused(text);
        assert!(
            said.contains(problem) && said.contains(fix),
            "{text}: {said}"
        );
    }
}
