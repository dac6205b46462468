//! The bound of a rule on one argument of a call.
//!
//! A match has three outcomes. A value that is missing or of another kind is `Unknown`, which never permits and always
//! restricts.

mod alternatives;
pub(crate) mod any;
pub(crate) mod created_by;
pub(crate) mod date;
pub(crate) mod email;
pub(crate) mod every;
pub(crate) mod field_path;
pub(crate) mod fields;
pub(crate) mod from;
pub(crate) mod host;
mod ignore_case;
mod inside;
mod is;
pub(crate) mod kind;
pub(crate) mod known;
pub(crate) mod length;
pub(crate) mod like;
pub(crate) mod links;
mod list;
pub(crate) mod matching;
pub(crate) mod not;
pub(crate) mod number;
mod one_of;
mod only_items;
pub(crate) mod optional;
pub(crate) mod origin;
pub(crate) mod path;
pub(crate) mod prefix;
pub(crate) mod present;
pub(crate) mod range;
pub(crate) mod relation;
pub(crate) mod scalar;
mod seen_in;
mod slots;
pub(crate) mod spoken;
pub(crate) mod suffix;
mod template;
mod texts;
pub(crate) mod url;

use std::fmt;

use serde_json::{Map, Value};
use toml::de::DeValue;

use self::{
    any::Any,
    created_by::CreatedBy,
    date::Date,
    email::Email,
    every::Every,
    fields::Fields,
    from::From,
    host::Host,
    ignore_case::IgnoreCase,
    is::Is,
    kind::{Inner, Kind, Reader, Unit},
    known::Known,
    length::Length,
    like::Like,
    links::Links,
    matching::{CallContext, Match, is_ambiguous, lookup},
    not::Not,
    one_of::OneOf,
    only_items::OnlyItems,
    optional::Optional,
    origin::Origin,
    path::Path,
    prefix::Prefix,
    present::Present,
    range::Range,
    relation::Compared,
    scalar::Scalar,
    seen_in::SeenIn,
    suffix::Suffix,
    template::Template,
    url::Url,
};
use crate::dead::possible::{Around, Possible, Reason};
use crate::parse::source::{Node, Source};
use crate::parse::tools::About;
use crate::schema::domain::{Domain, Presence, TypeSet};
use crate::show::words::{joined, list, negated};
use crate::toml_text::one_or_list;

/// Deepest nesting of bounds.
const DEPTH_MAX: usize = 8;

/// A bound on one argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// One of these values; never empty.
    OneOf(Vec<Scalar>),
    /// All of these predicates; never empty.
    All(Vec<Predicate>),
}

macro_rules! predicates { ($($name:ident($T:ty),)*) => {
    /// One test of a value.
    #[derive(Debug, Clone, PartialEq)]
    #[expect(missing_docs, reason = "each kind says what it is")]
    pub enum Predicate { $($name($T),)* }

    /// The keys of every kind.
    const KEYS: &[&[&str]] = &[$(<$T>::KEYS,)*];

    impl Predicate {
        fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
            let mut all = Vec::new();
            $(all.extend(<$T>::read(reader)?.into_iter().map(Self::$name));)*
            Some(all)
        }
        /// The JSON Schema types that can match; empty for any.
        pub(crate) fn types(&self) -> &'static [&'static str] {
            match self { $(Self::$name(kind) => kind.types(),)* }
        }
        fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
            match self { $(Self::$name(kind) => kind.judge(value, context),)* }
        }
        fn judge_argument(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
            match self { $(Self::$name(kind) => kind.judge_argument(value, context),)* }
        }
        fn narrow(&self, possible: &mut Possible<'_>) {
            match self { $(Self::$name(kind) => kind.narrow(possible),)* }
        }
        fn say(&self, unit: Unit) -> String {
            match self { $(Self::$name(kind) => kind.say(unit),)* }
        }
        fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
            match self { $(Self::$name(kind) => kind.determines(value, context),)* }
        }
        fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
            match self { $(Self::$name(kind) => kind.doubt(value, context),)* }
        }
        fn limits_length(&self) -> bool {
            match self { $(Self::$name(kind) => kind.limits_length(),)* }
        }
        fn permits_links(&self) -> bool {
            match self { $(Self::$name(kind) => kind.permits_links(),)* }
        }
        fn same_as(&self) -> Option<&str> {
            match self { $(Self::$name(kind) => kind.same_as(),)* }
        }
        fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
            match self { $(Self::$name(kind) => kind.widen(value, context).map(Self::$name),)* }
        }
        /// The origins of its own values, without those of nested bounds.
        pub(crate) fn origins(&self) -> &[Origin] {
            match self { $(Self::$name(kind) => kind.origins(),)* }
        }
        /// The tools in whose results its own values stand, without those of nested bounds.
        pub(crate) fn results(&self) -> &[String] {
            match self { $(Self::$name(kind) => kind.results(),)* }
        }
    }

    impl fmt::Display for Predicate {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self { $(Self::$name(kind) => kind.fmt(f),)* }
        }
    }
} }

predicates! {
    Present(Present),
    Optional(Optional),
    Is(Is),
    Range(Range),
    Path(Path),
    Length(Length),
    Prefix(Prefix),
    Suffix(Suffix),
    Like(Like),
    IgnoreCase(IgnoreCase),
    Links(Links),
    Host(Host),
    Url(Url),
    Email(Email),
    Date(Date),
    Compared(Compared),
    From(From),
    CreatedBy(CreatedBy),
    SeenIn(SeenIn),
    Known(Known),
    Template(Template<Bound>),
    Fields(Fields<Bound>),
    Every(Every<Bound>),
    OnlyItems(OnlyItems<Bound>),
    Any(Any<Bound>),
    OneOf(OneOf<Bound>),
    Not(Not<Bound>),
}

impl Predicate {
    /// The directly nested bounds.
    pub(crate) fn inner(&self) -> Vec<&Bound> {
        match self {
            Self::Fields(Fields { fields, .. }) => fields.values().collect(),
            Self::Template(template) => template.holes.values().collect(),
            Self::Every(Every(one)) | Self::Any(Any(one)) => vec![one],
            Self::OnlyItems(OnlyItems(each)) | Self::OneOf(OneOf(each)) | Self::Not(Not(each)) => {
                each.0.iter().collect()
            }
            Self::Present(_) | Self::Optional(_) | Self::Is(_) | Self::Range(_) | Self::Path(_) => {
                Vec::new()
            }
            Self::Length(_) | Self::Prefix(_) | Self::Suffix(_) | Self::Like(_) => Vec::new(),
            Self::Links(_) => Vec::new(),
            Self::IgnoreCase(_) | Self::Host(_) | Self::Url(_) | Self::Email(_) => Vec::new(),
            Self::Date(_) | Self::Compared(_) | Self::From(_) | Self::Known(_) => Vec::new(),
            Self::CreatedBy(_) | Self::SeenIn(_) => Vec::new(),
        }
    }

    /// The known set that its own values are of, without those of nested bounds.
    pub(crate) fn known(&self) -> Option<&Known> {
        if let Self::Known(known) = self {
            return Some(known);
        }
        None
    }

    /// A list with at least one item, where every item matches `bound`.
    pub(crate) fn every(bound: Bound) -> Self {
        Self::Every(Every(Box::new(bound)))
    }

    /// A text or list of exactly this length.
    pub(crate) const fn long(length: u64) -> Self {
        Self::Length(Length::exactly(length))
    }

    /// An argument that is absent or null.
    pub(crate) const fn absent() -> Self {
        Self::Present(Present(false))
    }
}

impl Bound {
    /// A value that is absent or null.
    pub(crate) fn absent() -> Self {
        Self::All(vec![Predicate::absent()])
    }

    /// Returns true if a missing or null value may match.
    fn may_take_absent(&self) -> bool {
        let Self::All(predicates) = self else {
            return false;
        };
        predicates.iter().any(|one| {
            let nests = matches!(one, Predicate::OneOf(_) | Predicate::Not(_));
            matches!(
                one,
                Predicate::Optional(_) | Predicate::Present(Present(false))
            ) || (nests && one.inner().iter().any(|inner| inner.is_about_absence()))
        })
    }

    /// Returns true if it says something about missing values, at any depth.
    fn is_about_absence(&self) -> bool {
        let Self::All(predicates) = self else {
            return false;
        };
        predicates.iter().any(|one| {
            matches!(one, Predicate::Optional(_) | Predicate::Present(_))
                || one.inner().iter().any(|inner| inner.is_about_absence())
        })
    }
}

impl Inner for Bound {
    /// Reads a value (equality), a list (set) or a table of predicates (all must match).
    fn read<'t>(
        source: &mut Source<'t>,
        node: &'t Node<'t>,
        depth: usize,
        about: &About<'_>,
    ) -> Option<Self> {
        if depth > DEPTH_MAX {
            let problem = format!("bounds are nested deeper than {DEPTH_MAX}");
            source.report(node.span(), problem, "bound the value less deeply");
            return None;
        }
        match node.get_ref() {
            DeValue::Table(_) => predicates(source, node, depth, about),
            DeValue::Array(_) => scalar::read_set(source, node).map(Self::OneOf),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => Some(Self::OneOf(vec![scalar::read(source, node)?])),
        }
    }

    fn judge_at(&self, args: &Map<String, Value>, name: &str, context: &CallContext<'_>) -> Match {
        if is_ambiguous(args, name) {
            return Match::Unknown;
        }
        self.judge(lookup(args, name), context)
    }

    fn judge(&self, value: Option<&Value>, context: &CallContext<'_>) -> Match {
        match self {
            Self::OneOf(set) => value.map_or(Match::Unknown, |value| scalar::one_of(set, value)),
            Self::All(predicates) => {
                let is_absent = value.is_none_or(Value::is_null);
                if is_absent && predicates.contains(&Predicate::Optional(Optional)) {
                    return Match::Yes;
                }
                let each = predicates.iter();
                Match::every(each.map(|one| one.judge_argument(value, context)))
            }
        }
    }

    fn dead(&self, domain: &Domain<'_>, presence: Presence, around: Around<'_>) -> Option<Reason> {
        if presence == Presence::Sometimes && self.may_take_absent() {
            return None;
        }
        let mut first = None;
        for one in &domain.alternatives {
            let mut possible = Possible::new(one.clone(), around);
            match self {
                Self::OneOf(set) => scalar::narrow(set, &mut possible),
                Self::All(predicates) => {
                    predicates.iter().for_each(|one| one.narrow(&mut possible))
                }
            }
            first.get_or_insert(possible.reason()?);
        }
        let none = "no call of the tool can have a value here";
        first.or_else(|| Some(Reason::new(none, "correct the name, or remove the bound")))
    }

    fn never_differs(&self, domain: &Domain<'_>) -> Option<Reason> {
        let Self::OneOf(set) = self else {
            return None;
        };
        let types = TypeSet::of_words(set.iter().flat_map(Scalar::types).copied());
        if domain.types().and(types).is_empty() {
            let (has, wants) = (domain.types().words(), types.words());
            let problem = format!("the value is {has}, so it cannot be compared with {wants}");
            return Some(Reason::new(problem, format!("write a bound for {has}")));
        }
        let same = |value: &&Value| scalar::one_of(set, value) == Match::Yes;
        let all = domain
            .listed()
            .is_some_and(|values| values.iter().all(same));
        let problem = "every value that the tool takes is excluded";
        all.then(|| Reason::new(problem, "exclude fewer values"))
    }

    fn say(&self, unit: Unit) -> String {
        let predicates = match self {
            Self::OneOf(set) => return format!("is {}", list(set, "or")),
            Self::All(predicates) => predicates,
        };
        let optional = Predicate::Optional(Optional);
        let own =
            |one: &&Predicate| !matches!(one, Predicate::Optional(_) | Predicate::IgnoreCase(_));
        let others = predicates.iter().filter(own);
        let others: Vec<String> = others.map(|one| one.say(unit)).collect();
        match (predicates.contains(&optional), others.is_empty()) {
            (true, true) => optional.say(unit),
            (true, false) => format!("is left out or {}", joined(others, "and")),
            (false, _) => joined(others, "and"),
        }
    }

    fn say_not(&self, unit: Unit) -> String {
        let said = self.say(unit);
        match self {
            Self::OneOf(_) => negated(&said),
            Self::All(predicates) if predicates.len() == 1 => negated(&said),
            Self::All(_) => format!("is not a value that {said}"),
        }
    }

    fn permits_links(&self) -> bool {
        match self {
            Self::OneOf(_) => true,
            Self::All(predicates) => predicates.iter().any(Predicate::permits_links),
        }
    }

    fn demands_absence(&self) -> bool {
        self.is_absent()
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        match self {
            Self::OneOf(set) => set.len() == 1,
            Self::All(predicates) => predicates.iter().any(|one| one.determines(value, context)),
        }
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        match self {
            Self::OneOf(_) => None,
            Self::All(_) if self.determines(value, context) => None,
            Self::All(predicates) => {
                let mut each = predicates.iter();
                each.find_map(|one| one.doubt(value, context))
            }
        }
    }

    fn exactly(value: &Value) -> Option<Self> {
        Some(Self::OneOf(vec![Scalar::of(value)?]))
    }

    fn widen(&self, value: Option<&Value>, context: &CallContext<'_>) -> Option<Self> {
        let predicates = match self {
            Self::OneOf(set) => {
                let mut set = set.clone();
                set.push(Scalar::of(value?)?);
                return Some(Self::OneOf(set));
            }
            Self::All(predicates) => predicates,
        };
        let Some(value) = value.filter(|value| !value.is_null()) else {
            let optional = Predicate::Optional(Optional);
            let is_new = !predicates.contains(&optional);
            let given = Predicate::Present(Present(true));
            let others = predicates.iter().filter(|one| **one != given).cloned();
            return is_new.then(|| Self::All([optional].into_iter().chain(others).collect()));
        };
        let each = predicates.iter().map(|one| {
            if one.judge(value, context) == Match::Yes {
                return Some(one.clone());
            }
            one.widen(value, context)
        });
        each.collect::<Option<_>>().map(Self::All)
    }
}

fn predicates<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    depth: usize,
    about: &About<'_>,
) -> Option<Bound> {
    let keys = KEYS.concat();
    let of = source.table(node, "a bound", &keys)?;
    let is_known = |key: &str| keys.contains(&key);
    if !of.table.keys().all(|key| is_known(key.get_ref())) {
        return None;
    }
    if of.table.is_empty() {
        let fix = format!("use one of: {}", keys.join(", "));
        source.report(node.span(), "the bound says nothing", fix);
        return None;
    }
    let mut reader = Reader {
        source,
        of,
        depth,
        about,
    };
    let all = Predicate::read(&mut reader)?;
    (!all.is_empty()).then_some(Bound::All(all))
}

/// Writes the bound as a TOML value that parses to the same bound.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(set) => f.write_str(&one_or_list(set)),
            Self::All(predicates) => {
                let each: Vec<String> = predicates.iter().map(Predicate::to_string).collect();
                write!(f, "{{ {} }}", each.join(", "))
            }
        }
    }
}
