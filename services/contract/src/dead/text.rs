//! Forms of texts that bounds ask for, and the pairs of forms that no text has.

use crate::toml_text::quoted;

/// A form of a text.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    /// Begins with one of these.
    Prefix(Vec<String>),
    /// Ends with one of these.
    Suffix(Vec<String>),
    /// Matches one of these patterns with `*`.
    Like(Vec<String>),
    /// Is a relative path that matches a pattern.
    Path(String),
    /// Is one of these hosts; `*.` before one means below it.
    Hosts(Vec<String>),
    /// Is a URL of this scheme and one of these hosts.
    Url(String, Vec<String>),
    /// Is one of these addresses.
    Emails(Vec<String>),
    /// Is an address of one of these domains; of any domain if there is none.
    Domains(Vec<String>),
    /// Is a date or moment.
    Date,
}

/// The literal ends of a text.
struct Ends {
    head: String,
    tail: String,
    /// True if `head` is the whole text.
    exact: bool,
    /// True if upper and lower case are equal.
    folded: bool,
}

impl Ends {
    fn pattern(pattern: &str) -> Self {
        let (head, tail, exact) = match (pattern.find('*'), pattern.rfind('*')) {
            (Some(first), Some(last)) => {
                let tail = pattern.get(last + 1..).unwrap_or_default();
                (pattern.get(..first).unwrap_or_default(), tail, false)
            }
            (None, _) | (_, None) => (pattern, pattern, true),
        };
        Self {
            head: head.to_owned(),
            tail: tail.to_owned(),
            exact,
            folded: false,
        }
    }

    fn excludes(&self, other: &Self) -> bool {
        let case = |text: &str| {
            if self.folded || other.folded {
                text.to_lowercase()
            } else {
                text.to_owned()
            }
        };
        let (own_head, own_tail) = (case(&self.head), case(&self.tail));
        let (head, tail) = (case(&other.head), case(&other.tail));
        let within =
            |whole: &str, head: &str, tail: &str| whole.starts_with(head) && whole.ends_with(tail);
        match (self.exact, other.exact) {
            (true, true) => own_head != head,
            (true, false) => !within(&own_head, &head, &tail),
            (false, true) => !within(&head, &own_head, &own_tail),
            (false, false) => {
                let heads = own_head.starts_with(&head) || head.starts_with(&own_head);
                let tails = own_tail.ends_with(&tail) || tail.ends_with(&own_tail);
                !(heads && tails)
            }
        }
    }
}

impl Text {
    /// Returns true if no text has both forms.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        if kinds(self, other) || kinds(other, self) {
            return true;
        }
        let (own, others) = (self.ends(), other.ends());
        let all = |one: &Ends| others.iter().all(|other| one.excludes(other));
        !own.is_empty() && !others.is_empty() && own.iter().all(all)
    }

    /// The possible ends, one for each choice; none if nothing is known.
    fn ends(&self) -> Vec<Ends> {
        let plain = |head: &str, tail: &str| Ends {
            head: head.to_owned(),
            tail: tail.to_owned(),
            exact: false,
            folded: false,
        };
        let host = |host: &String| match host.strip_prefix('*') {
            Some(below) => Ends {
                folded: true,
                ..plain("", below)
            },
            None => Ends {
                exact: true,
                folded: true,
                ..plain(host, host)
            },
        };
        match self {
            Self::Prefix(each) => each.iter().map(|text| plain(text, "")).collect(),
            Self::Suffix(each) => each.iter().map(|text| plain("", text)).collect(),
            Self::Like(each) => each.iter().map(|pattern| Ends::pattern(pattern)).collect(),
            Self::Path(pattern) => {
                let mut ends = Ends::pattern(pattern);
                // `**` before a slash also stands for no name.
                let none = pattern.contains("**/");
                if let Some(rest) = ends.tail.strip_prefix('/').filter(|_| none) {
                    ends.tail = rest.to_owned();
                }
                vec![ends]
            }
            Self::Hosts(hosts) => hosts.iter().map(host).collect(),
            Self::Url(scheme, hosts) => {
                let each = hosts.iter().map(|host| {
                    let host = if host.starts_with('*') { "" } else { host };
                    Ends {
                        folded: true,
                        ..plain(&format!("{scheme}://{host}"), "")
                    }
                });
                each.collect()
            }
            Self::Emails(each) => each
                .iter()
                .map(|address| Ends {
                    exact: true,
                    folded: true,
                    ..plain(address, address)
                })
                .collect(),
            Self::Domains(each) => each
                .iter()
                .map(|domain| Ends {
                    folded: true,
                    ..plain("", &format!("@{domain}"))
                })
                .collect(),
            Self::Date => Vec::new(),
        }
    }

    /// The fewest characters of a text that has all these forms.
    pub(super) fn least(texts: &[Self]) -> u64 {
        let each = texts.iter().map(Self::shortest).max().unwrap_or(0);
        let known = texts.iter().map(Self::ends);
        let known: Vec<Ends> = known
            .filter_map(|mut ends| ends.pop().filter(|_| ends.is_empty()))
            .collect();
        let longest = |texts: &mut dyn Iterator<Item = &str>| {
            texts.max_by_key(|text| text.len()).unwrap_or("").to_owned()
        };
        let prefix = longest(&mut known.iter().map(|ends| ends.head.as_str()));
        let suffix = longest(&mut known.iter().map(|ends| ends.tail.as_str()));
        let whole = suffix
            .char_indices()
            .map(|(at, _)| at)
            .chain([suffix.len()]);
        let shared = whole.filter_map(|at| suffix.get(..at));
        let shared = shared.filter(|start| prefix.ends_with(start));
        let shared = shared.map(|start| start.chars().count()).max().unwrap_or(0);
        let both = prefix.chars().count() + suffix.chars().count() - shared;
        u64::try_from(each.max(both)).unwrap_or(u64::MAX)
    }

    fn shortest(&self) -> usize {
        let least = |each: &[String], more: usize| {
            let each = each.iter().map(|one| one.chars().count() + more);
            each.min().unwrap_or(0)
        };
        let hosts = |hosts: &[String]| least(hosts, 0);
        match self {
            Self::Prefix(each) | Self::Suffix(each) => least(each, 0),
            Self::Like(each) => {
                let literal = |pattern: &String| pattern.chars().filter(|c| *c != '*').count();
                each.iter().map(literal).min().unwrap_or(0)
            }
            Self::Path(_) => 1,
            Self::Hosts(each) => hosts(each),
            Self::Url(scheme, each) => scheme.len() + 3 + hosts(each),
            Self::Emails(each) => least(each, 0),
            Self::Domains(each) => least(each, 2),
            Self::Date => 10,
        }
    }

    /// The form as a predicate, for people.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Prefix(each) => format!("begins with {}", list(each)),
            Self::Suffix(each) => format!("ends with {}", list(each)),
            Self::Like(each) => format!("is like {}", list(each)),
            Self::Path(text) => format!("is a path like {text:?}"),
            Self::Hosts(_) => "is one of these hosts".to_owned(),
            Self::Url(scheme, _) => format!("is such a {scheme} address"),
            Self::Emails(_) => "is one of these e-mail addresses".to_owned(),
            Self::Domains(each) if each.is_empty() => "is an e-mail address".to_owned(),
            Self::Domains(_) => "is an e-mail address of these domains".to_owned(),
            Self::Date => "is a date".to_owned(),
        }
    }
}

fn list(each: &[String]) -> String {
    each.iter()
        .map(|text| quoted(text))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Returns true if texts of the kind `one` never have the form `other`.
fn kinds(one: &Text, other: &Text) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (one, other) {
        (Text::Emails(_) | Text::Domains(_), Text::Hosts(_) | Text::Url(..) | Text::Date)
        | (Text::Url(..), Text::Hosts(_) | Text::Path(_) | Text::Date) => true,
        (Text::Hosts(_), Text::Prefix(each) | Text::Suffix(each)) => {
            !each.iter().any(|text| text.chars().all(host))
        }
        (Text::Path(_), Text::Prefix(each)) => each
            .iter()
            .all(|text| text.starts_with('/') || text.contains("//") || text.contains('\\')),
        (Text::Path(_), Text::Suffix(each)) => each
            .iter()
            .all(|text| text.ends_with('/') || text.contains("//") || text.contains('\\')),
        (Text::Date, Text::Hosts(each)) => !each.iter().any(|host| begins_date(host)),
        (Text::Date, Text::Like(each)) => each
            .iter()
            .all(|text| !text.contains('*') && !begins_date(text)),
        (Text::Date, Text::Prefix(each)) => !each.iter().any(|text| begins_date(text)),
        (
            Text::Prefix(_)
            | Text::Suffix(_)
            | Text::Like(_)
            | Text::Path(_)
            | Text::Hosts(_)
            | Text::Url(..)
            | Text::Emails(_)
            | Text::Domains(_)
            | Text::Date,
            _,
        ) => false,
    }
}

/// Returns true if a date or moment can begin with the text.
fn begins_date(text: &str) -> bool {
    let shape = "dddd-dd-dd".chars();
    text.chars()
        .zip(shape)
        .all(|(c, want)| c == want || (want == 'd' && c.is_ascii_digit()))
}
