//! Reads headers of the forms `<target>; name="value", …` (RFC 8288) and `value; name="value"` (RFC 6266), strictly.

use std::collections::BTreeMap;

/// A header that is not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoLinks;

/// Returns the targets of the links with the relation `next`. A link that has an anchor is about something else than
/// the page.
pub(super) fn next_targets(header: &str) -> Result<Vec<&str>, NoLinks> {
    let mut reader = HeaderReader(header);
    let mut targets = Vec::new();
    loop {
        let (target, is_next) = reader.link().ok_or(NoLinks)?;
        targets.extend(is_next.then_some(target));
        if !reader.takes(',') {
            let is_end = reader.0.is_empty();
            return is_end.then_some(targets).ok_or(NoLinks);
        }
    }
}

/// Returns a parameter of a header such as `attachment; filename="report.pdf"`, as it stands between its quotes; none if
/// the header is of another form.
#[must_use]
pub fn header_parameter<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    let mut reader = HeaderReader(header);
    reader.token()?;
    let parameters = reader.parameters()?;
    parameters
        .get(name)
        .filter(|_| reader.0.is_empty())
        .copied()
}

/// The rest of a header.
struct HeaderReader<'t>(&'t str);

impl<'t> HeaderReader<'t> {
    /// Takes the character after spaces, if it is there.
    fn takes(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Reads one link: its target, and true if its first `rel` has `next`.
    fn link(&mut self) -> Option<(&'t str, bool)> {
        if !self.takes('<') {
            return None;
        }
        let (target, rest) = self.0.split_once('>')?;
        self.0 = rest;
        let parameters = self.parameters()?;
        let mut relations = parameters
            .get("rel")
            .into_iter()
            .flat_map(|text| text.split(' '));
        let is_next = relations.any(|one| one.eq_ignore_ascii_case("next"));
        Some((target, is_next && !parameters.contains_key("anchor")))
    }

    /// Reads parameters, each behind a semicolon, by their names in lower case; the first of a name counts.
    fn parameters(&mut self) -> Option<BTreeMap<String, &'t str>> {
        let mut parameters = BTreeMap::new();
        while self.takes(';') {
            let name = self.token()?.to_ascii_lowercase();
            let value = if self.takes('=') { self.value()? } else { "" };
            parameters.entry(name).or_insert(value);
        }
        Some(parameters)
    }

    fn token(&mut self) -> Option<&'t str> {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// Reads a token, or a text in quotes with its escapes.
    fn value(&mut self) -> Option<&'t str> {
        if !self.takes('"') {
            return self.token();
        }
        let mut is_escaped = false;
        let end = self.0.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        })?;
        let (value, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(value)
    }
}
