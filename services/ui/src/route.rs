//! The address of a page: its path and query as a typed value.

use bus_schema::{AuthorId, ContractName, PATH_BYTES_MAX, ShowPage, TaskId};
use url::form_urlencoded;

/// A page that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// The work that waits, runs and was refused.
    Home,
    /// The tasks.
    Tasks { page: usize },
    /// One task; without a page, its newest actions.
    Task { task: TaskId, page: Option<usize> },
    /// The contracts.
    Contracts,
    /// A contract; without a version, the one in force.
    Contract {
        name: ContractName,
        version: Option<u32>,
    },
    /// The jobs.
    Jobs,
    /// The secrets.
    Secrets,
    /// The tools.
    Tools,
    /// The models.
    Models,
    /// The devices.
    Devices,
    /// The ways to start a task.
    New,
    /// The record.
    Audit(Filter),
    /// The state of the deployment.
    Settings,
}

/// The facts that the page of the record shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) task: Option<TaskId>,
    /// `<noun>.<past-verb>`, or a beginning of it.
    pub(crate) kind: Option<String>,
    pub(crate) by: Option<AuthorId>,
    /// Only facts before this place of the stream.
    pub(crate) before: Option<u64>,
}

/// The reason that there is no page at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is no such path.
    NotFound,
    /// A part of the path or of the query is not what it has to be.
    Malformed,
}

impl Route {
    /// Reads an address.
    pub(crate) fn of(asked: &ShowPage) -> Result<Self, NoRoute> {
        if asked.path.len() > PATH_BYTES_MAX || asked.query.len() > PATH_BYTES_MAX {
            return Err(NoRoute::Malformed);
        }
        let query = Query(&asked.query);
        let path = asked.path.strip_prefix('/').ok_or(NoRoute::NotFound)?;
        let parts: Vec<&str> = path.split('/').collect();
        Ok(match parts.as_slice() {
            [""] => Self::Home,
            ["tasks"] => Self::Tasks {
                page: query.parsed("page")?.unwrap_or(1),
            },
            ["tasks", task] => Self::Task {
                task: task.parse().map_err(|_| NoRoute::Malformed)?,
                page: query.parsed("page")?,
            },
            ["contracts"] => Self::Contracts,
            ["contracts", name] => Self::Contract {
                name: name.parse().map_err(|_| NoRoute::Malformed)?,
                version: query.parsed("version")?,
            },
            ["jobs"] => Self::Jobs,
            ["secrets"] => Self::Secrets,
            ["tools"] => Self::Tools,
            ["models"] => Self::Models,
            ["devices"] => Self::Devices,
            ["new"] => Self::New,
            ["audit"] => Self::Audit(Filter {
                task: query.parsed("task")?,
                kind: query.get("kind"),
                by: query.parsed("by")?,
                before: query.parsed("before")?,
            }),
            ["settings"] => Self::Settings,
            _ => return Err(NoRoute::NotFound),
        })
    }
}

struct Query<'a>(&'a str);

impl Query<'_> {
    /// The first value of a name that is not empty: a form sends empty fields, too.
    fn get(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.0.as_bytes());
        let found = pairs.find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.into_owned())
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, NoRoute> {
        let value = self.get(name);
        let value = value.map(|value| value.trim().parse());
        value.transpose().map_err(|_| NoRoute::Malformed)
    }
}
