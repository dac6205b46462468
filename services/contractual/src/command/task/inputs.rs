//! The values with which a person fills the inputs of a playbook, from options.

use std::{collections::BTreeMap, path::Path};

use deployment::read_text;
use diagnostic::escaped;
use worker::Playbook;

use crate::Error;

/// Returns the playbook with the values of `set`, each `<input>=<value>`, in its text.
///
/// # Errors
/// [`Error::Document`] for values that do not fill its inputs.
pub(super) fn filled(playbook: &Playbook, set: &[String]) -> Result<Playbook, Error> {
    let wrong = |error: worker::InputError| {
        Error::Document(format!(
            "{error}; write `--input <name>=<value>` for each input"
        ))
    };
    let mut values = BTreeMap::new();
    for one in set {
        let Some((name, text)) = one.split_once('=') else {
            let next = "write the name of the input, `=` and its value";
            let shown = escaped(one);
            return Err(Error::Document(format!(
                "`--input {shown}` has no `=`; {next}"
            )));
        };
        let text = match (text.strip_prefix("@@"), text.strip_prefix('@')) {
            (Some(rest), _) => format!("@{rest}"),
            (None, Some(file)) => read_text(Path::new(file))?,
            (None, None) => text.to_owned(),
        };
        let value = playbook.typed(name, &text).map_err(wrong)?;
        if values.insert(name.to_owned(), value).is_some() {
            let problem = format!("the input `{name}` is given twice; remove one of the two");
            return Err(Error::Document(problem));
        }
    }
    playbook.with_inputs(&values).map_err(wrong)
}
