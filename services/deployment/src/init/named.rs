//! The names by which browsers find gateway and signer, in the configurations of both.

use std::collections::BTreeSet;

use actor::files;
use bus_schema::AuthorId;

use crate::{
    DeploymentFile, Dir, Error, InitReport, layout,
    report::{keep as keep_file, refresh},
    tailnet::SIGNER_PORT,
};

/// The line of a list of texts; nothing for an empty one.
pub(super) fn list(key: &str, texts: impl IntoIterator<Item = String>) -> String {
    let texts: Vec<_> = texts.into_iter().map(toml::Value::from).collect();
    if texts.is_empty() {
        return String::new();
    }
    format!("{key} = {}\n", toml::Value::from(texts))
}

/// The origins of the signer, each once.
pub(super) fn signers(file: &DeploymentFile) -> BTreeSet<String> {
    let all = [file.signer_origin(), file.passkey_origin()];
    all.into_iter().flatten().collect()
}

/// The signer's configuration; none for a deployment without a signer.
fn signer(file: &DeploymentFile) -> Option<String> {
    let listen = match file.containers {
        Some(_) => layout::SIGNER,
        None => file.signer?,
    };
    let host = match file.name() {
        Some(name) => Some(format!("{name}:{SIGNER_PORT}")),
        None => file
            .signer
            .map(|signer| format!("localhost:{}", signer.port())),
    };
    Some(format!(
        "listen = \"{listen}\"\ngateway = \"{}\"\n{}",
        file.gateway_origin(),
        list("hosts", host)
    ))
}

/// Makes the signer's configuration, and sets the name in the tailnet in both configurations, if they were not edited.
/// The gateway's has been made; `gateway` gives its text.
pub(super) fn keep(
    dir: &Dir,
    file: &mut DeploymentFile,
    name: Option<&str>,
    gateway: &dyn Fn(&DeploymentFile) -> String,
    made: &mut InitReport,
) -> Result<(), Error> {
    let before = file.clone();
    if let (Some(containers), Some(name)) = (&mut file.containers, name) {
        containers.name = Some(name.to_owned());
    }
    if let Some(text) = signer(file) {
        files::private_dir(&dir.of("signer"))?;
        keep_file(&dir.signer_config(), &text, made)?;
    }
    if file.containers.is_none() {
        return Ok(());
    }
    let is_renamed = before.name() != file.name();
    let both = [
        (
            dir.config(AuthorId::Gateway),
            // An earlier version knew no signer.
            vec![gateway(&before), without_signers(&gateway(&before))],
            gateway(file),
        ),
        (
            dir.signer_config(),
            signer(&before).into_iter().collect(),
            signer(file).unwrap_or_default(),
        ),
    ];
    for (path, earlier, wanted) in both {
        let found = files::read_public(&path)?;
        let is = |text: &String| found == text.as_bytes();
        if is(&wanted) || earlier.iter().any(is) {
            refresh(&path, &wanted, made)?;
        } else if is_renamed {
            let names: Vec<_> = wanted
                .lines()
                .filter(|line| line.contains(" = ["))
                .collect();
            return Err(Error::Refused(format!(
                "{} was edited and is not overwritten: write {} there yourself",
                path.display(),
                names.join(" and ")
            )));
        }
    }
    if is_renamed {
        let text = toml::to_string(file).map_err(|error| Error::Document(error.to_string()))?;
        refresh(&dir.deployment(), &text, made)?;
    }
    Ok(())
}

fn without_signers(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("signers = "));
    lines.map(|line| format!("{line}\n")).collect()
}
