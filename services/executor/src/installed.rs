//! Holds the tools of the signed catalogue that can be executed here, each with the digest that owner and policy use.

use std::collections::BTreeMap;

use bus_schema::{Digest, ToolName};
use contract::{Catalogue, Tool, unusable};

/// The tools of the signed catalogue that are executed here.
#[derive(Clone, Debug)]
pub struct Installed<T> {
    tools: BTreeMap<ToolName, (Digest, T)>,
    /// The reasons that tools cannot be executed here, one sentence each.
    faults: BTreeMap<ToolName, String>,
    /// The reason that the catalogue as a whole cannot be used.
    unusable: Option<String>,
    /// The problem for health: the first of both kinds.
    trouble: Option<String>,
}

impl<T> Default for Installed<T> {
    fn default() -> Self {
        Self {
            tools: BTreeMap::new(),
            faults: BTreeMap::new(),
            unusable: None,
            trouble: None,
        }
    }
}

impl<T> Installed<T> {
    /// Reads the catalogue that the owner signed; none if it was erased. `tool` reads one entry: `None` if it belongs to
    /// another executor, and the fault in one sentence if it cannot be executed here. Such a tool is left out, so that
    /// the others go on.
    #[must_use]
    pub fn read(
        document: Option<&[u8]>,
        mut tool: impl FnMut(&Tool) -> Option<Result<T, String>>,
    ) -> Self {
        let catalogue = match document.map(Catalogue::parse_signed) {
            Some(Ok(catalogue)) => catalogue,
            Some(Err(error)) => return Self::without_tools(&error.to_string()),
            None => return Self::without_tools("its document was erased"),
        };
        let mut read = Self::default();
        for entry in catalogue.tools() {
            let name = entry.name().clone();
            match tool(entry) {
                Some(Ok(tool)) => drop(read.tools.insert(name, (entry.digest(), tool))),
                Some(Err(fault)) => drop(read.faults.insert(name, fault)),
                None => {}
            }
        }
        read.settled()
    }

    fn without_tools(why: &str) -> Self {
        let read = Self {
            unusable: Some(unusable(why)),
            ..Self::default()
        };
        read.settled()
    }

    /// Leaves out each tool in which `check` finds a fault.
    #[must_use]
    pub fn without(mut self, mut check: impl FnMut(&ToolName, &T) -> Result<(), String>) -> Self {
        let faults = &mut self.faults;
        self.tools.retain(|name, (_, tool)| {
            let checked = check(name, tool);
            let fits = checked.is_ok();
            faults.extend(checked.err().map(|fault| (name.clone(), fault)));
            fits
        });
        self.settled()
    }

    /// Sets the problem for health.
    fn settled(self) -> Self {
        let first = self.faults.values().next();
        let others = self.faults.len().saturating_sub(1);
        let fault = first.map(|first| match others {
            0 => first.clone(),
            others => format!("{first} (and {others} more, see the log)"),
        });
        let trouble = self.unusable.clone().or(fault);
        Self { trouble, ..self }
    }

    /// Returns the tool of that name, if it has that digest.
    #[must_use]
    pub fn get(&self, name: &ToolName, digest: &Digest) -> Option<&T> {
        let (installed, tool) = self.tools.get(name)?;
        (installed == digest).then_some(tool)
    }

    /// Returns the digest of the tool of that name.
    #[must_use]
    pub fn digest(&self, name: &ToolName) -> Option<Digest> {
        self.tools.get(name).map(|(digest, _)| *digest)
    }

    /// Returns the reasons that tools cannot be executed here.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults
            .values()
            .chain(&self.unusable)
            .map(String::as_str)
    }

    /// Returns the problem of the tools, with what to do.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
