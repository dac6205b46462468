//! `task list`: lists the newest tasks.

use deployment::Deployment;

use crate::{Error, Output};

pub(super) async fn run(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let tasks = crate::client(deployment)?.tasks().await?;
    out.print(&tasks, || {
        let mut text = String::new();
        if tasks.halted {
            text.push_str("HALTED: nothing is granted until `contractual resume`\n");
        }
        for task in &tasks.tasks {
            let state = task.outcome.map_or_else(
                || format!("{:?}", task.state),
                |outcome| format!("{outcome:?}"),
            );
            text.push_str(&format!(
                "{}  {}  {:<10} granted {}, asked {}, refused {}, unknown {}\n",
                task.task,
                task.submitted,
                state.to_lowercase(),
                task.granted,
                task.asked,
                task.refused,
                task.unknown
            ));
        }
        if tasks.tasks.is_empty() {
            text.push_str("no task yet: see `contractual run --help`\n");
        }
        text.trim_end().to_owned()
    });
    Ok(())
}
