//! `contract sign`: shows the changes of a contract, signs it, and waits for policy's verdict.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actor::BusClient;
use bus_schema::{AuthorId, ContractFact, ContractSigned, Draft, RefusalCode};
use clap::Args;
use contract::{Catalogue, Contract, Drift, ReadNow};
use deployment::Deployment;
use serde::Serialize;

use super::{
    document::{Checked, Summary, check_signed, check_signed_text, parse},
    folders,
    history::History,
    index::{ContractEntry, ContractIndex},
    lines,
};
use crate::{Error, Output, prompt};

/// `contract sign …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual contract sign contract.toml\n\n\
    It is read with the signed catalogue. Prints the changes against the version in force, and the changes of the catalogue \
    and the program since it was signed; on a terminal it asks before it signs.\n\n\
    Exit codes: 0 in force · 1 policy refused it or does not answer: the runner accepts no lower version from now on, until \
    that one is signed again · 64 the contract is not valid · 130 not signed")]
pub(crate) struct Arguments {
    /// The contract, such as contract.toml.
    file: PathBuf,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
    /// Do not wait for policy's verdict.
    #[arg(long)]
    detach: bool,
}

impl Arguments {
    /// Prints the changes against the version in force, signs the contract, and waits for policy's verdict.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let mut history = History::read(deployment).await?;
        let checked = check_signed(&self.file, deployment, &history.operator).await?;
        for note in folders::lacking(&deployment.dir, checked.contract.folders()) {
            out.line_for_people(&format!("note: {note}"));
        }
        let changes = changes(&history, &checked, deployment, out).await?;
        let differs = !changes.lines.is_empty() || changes.drift.is_some();
        let asks = !self.yes && differs && std::io::stdin().is_terminal();
        if asks && prompt::sign_it().await != Some(true) {
            return Err(Error::Interrupted);
        }
        let summary = put(&history.operator, deployment, &checked).await?;
        let said = if self.detach {
            None
        } else {
            Some(verdict(&mut history, &summary, deployment).await?)
        };
        let signed = Signed {
            summary: &summary,
            changes: &changes.lines,
            drift: changes.drift.as_ref(),
            said: said.as_ref(),
        };
        out.print(&signed, || match &said {
            None | Some(Said::Refused { .. }) => summary.text(),
            Some(Said::Activated { supersedes: None }) => {
                format!("{}\nin force", summary.text())
            }
            Some(Said::Activated {
                supersedes: Some(old),
            }) => {
                format!("{}\nin force; replaces version {old}", summary.text())
            }
        });
        match said {
            Some(Said::Refused { why, .. }) => Err(refused(&why)),
            Some(Said::Activated { .. }) | None => Ok(()),
        }
    }
}

/// The timeout for policy's verdict.
const VERDICT: Duration = Duration::from_secs(30);

/// Signs a contract with the owner's key and publishes it; policy's verdict follows.
///
/// # Errors
/// The errors of the contract, the error of the bus, and [`Error::Refused`] if no catalogue is signed.
pub async fn sign(deployment: &Deployment, file: &Path) -> Result<Summary, Error> {
    let bus = deployment.bus().await?;
    let checked = check_signed(file, deployment, &bus).await?;
    put(&bus, deployment, &checked).await
}

/// Signs the text of a contract with the owner's key, and waits for policy's verdict.
///
/// # Errors
/// The errors of the contract and of the bus; [`Error::Refused`] if policy refuses it or does not answer.
pub(crate) async fn sign_text(deployment: &Deployment, text: &str) -> Result<Summary, Error> {
    let mut history = History::read(deployment).await?;
    let checked = check_signed_text(("the contract", text), deployment, &history.operator).await?;
    let summary = put(&history.operator, deployment, &checked).await?;
    match verdict(&mut history, &summary, deployment).await? {
        Said::Activated { .. } => Ok(summary),
        Said::Refused { why, .. } => Err(refused(&why)),
    }
}

fn refused(why: &str) -> Error {
    Error::Refused(format!("policy refused the contract: {why}"))
}

async fn put(
    bus: &BusClient,
    deployment: &Deployment,
    checked: &Checked,
) -> Result<Summary, Error> {
    let (key, clock) = (deployment.owner_key()?, &deployment.clock);
    let mut writer = bus.owner(key).await?;
    let document = bus_schema::Sealed::new(clock.salt(), checked.text.as_bytes())
        .map_err(|error| Error::Document(error.to_string()))?;
    let entries = contract::entries(&checked.tools, &checked.envelope);
    let tools = bus_schema::Sealed::new(clock.salt(), &entries)
        .map_err(|error| Error::Document(format!("the tools of the contract: {error}")))?;
    let fact = ContractSigned {
        contract: checked.contract.digest(),
        name: checked.contract.name().clone(),
        version: checked.contract.version(),
        document: document.content(),
        pins: contract::pins(&checked.tools, tools.content()),
        envelope: checked.envelope.clone(),
    };
    let draft = Draft::of(bus_schema::Deployment, fact)
        .with(document)
        .with(tools);
    let seq = writer.say(bus, draft).await?;
    Ok(Summary {
        seq: Some(seq),
        ..checked.summary()
    })
}

/// Policy's verdict on a signed contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Said {
    /// It is in force.
    Activated {
        /// The version before it, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        supersedes: Option<u32>,
    },
    /// It is refused; for policy, the version before it stays in force.
    Refused {
        /// The reason, for programs.
        code: RefusalCode,
        /// The reason, for people.
        why: String,
    },
}

#[derive(Serialize)]
struct Signed<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// The changed lines of the text.
    changes: &'a [String],
    /// The changes of the tool catalogue and the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a Drift>,
    #[serde(flatten)]
    said: Option<&'a Said>,
}

/// The changes against the version in force.
#[derive(Default)]
struct Changes {
    /// The lines that are in only one of the texts.
    lines: Vec<String>,
    /// The changes of the tool catalogue and the program since signing.
    drift: Option<Drift>,
}

/// Finds and prints the changes against the version in force: of its text, of the tool catalogue and of the program.
async fn changes(
    history: &History<ContractFact>,
    checked: &Checked,
    deployment: &Deployment,
    out: &Output,
) -> Result<Changes, Error> {
    let index = ContractIndex::of(&history.facts, deployment.clock.wall());
    let name = checked.contract.name();
    let Some(old) = index.in_force(name) else {
        out.line_for_people(&format!("no version of `{name}` is in force"));
        return Ok(Changes::default());
    };
    let is_same = old.contract == checked.contract.digest();
    let text = if is_same {
        Some(checked.text.clone())
    } else {
        history.text(AuthorId::Owner, &old.document).await?
    };
    let before = match &text {
        Some(text) => parse(name.as_str(), text, &checked.tools).map_err(|error| error.to_string()),
        None => Err("its text was erased".to_owned()),
    };
    let lines = text
        .as_ref()
        .map_or_else(Vec::new, |text| lines::changed(text, &checked.text));
    let version = old.version;
    let meaning = || match &before {
        Ok(before) => contract::diff(before, &checked.contract, &checked.tools).text(),
        Err(_) => lines.join("\n"),
    };
    out.line_for_people(&if is_same {
        format!("exactly this text of `{name}` is in force")
    } else if text.is_none() {
        format!("version {version} of `{name}` is in force; its text was erased")
    } else {
        format!(
            "changes against version {version} of `{name}` in force:\n{}",
            meaning()
        )
    });
    let drift = drift(history, old, before.as_ref(), &checked.tools).await?;
    if let Some(drift) = &drift {
        out.line_for_people(&format!(
            "The tool catalogue or the program changed since signing. Signing now approves:\n{}",
            drift.text()
        ));
    }
    Ok(Changes { lines, drift })
}

/// The changes of the tool catalogue and the program since the version in force was signed.
pub(super) async fn drift(
    history: &History<ContractFact>,
    old: &ContractEntry,
    before: Result<&Contract, &String>,
    tools: &Catalogue,
) -> Result<Option<Drift>, Error> {
    let signed = history.operator.get(AuthorId::Owner, &old.pins.tools);
    let signed = signed.await?;
    let envelope = before.map(|before| contract::envelope(before, tools));
    let now = ReadNow {
        catalogue: tools,
        envelope: envelope.as_ref().map_err(|why| why.as_str()),
    };
    Ok(contract::drift(
        (&old.pins, &old.envelope),
        signed.as_deref(),
        &now,
    ))
}

/// Waits for policy's verdict on the signed contract.
async fn verdict(
    history: &mut History<ContractFact>,
    summary: &Summary,
    deployment: &Deployment,
) -> Result<Said, Error> {
    let (seq, contract) = (summary.seq.unwrap_or_default(), summary.contract);
    let found = history.wait(seq, VERDICT, |fact| {
        if let ContractFact::ContractActivated(_, fact) = fact
            && fact.contract == contract
        {
            return Some(Ok(fact.supersedes));
        }
        if let ContractFact::ContractRejected(_, fact) = fact
            && fact.contract == contract
        {
            return Some(Err((fact.code, fact.why)));
        }
        None
    });
    match found.await? {
        Some(Ok(old)) => {
            let index = ContractIndex::of(&history.facts, deployment.clock.wall());
            let old = old.and_then(|old| index.get(&old).map(|old| old.version));
            Ok(Said::Activated { supersedes: old })
        }
        Some(Err((code, why))) => {
            let text = match why {
                Some(why) => history.text(AuthorId::Policy, &why).await?,
                None => None,
            };
            let why = text.unwrap_or_else(|| code.to_string());
            Ok(Said::Refused { code, why })
        }
        None => Err(Error::Refused(format!(
            "policy did not answer within {} seconds; the contract is signed as message {seq} and comes into force when \
             policy runs: see `contractual doctor` and `contractual contract list`",
            VERDICT.as_secs()
        ))),
    }
}
