//! `contract sign`: the owner's signature under a contract, what it changes, and what policy says to it.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use actor::{Clock, Operator, signing_key};
use bus_schema::{AuthorId, ContractSigned, Deployment, Draft, PolicyFact, RefusalCode};
use policy::Catalogue;
use serde::Serialize;

use super::{
    Checked, Summary, check, history::History, ledger::Ledger, lines, parse, read_catalogue,
};
use crate::{Dir, Error, args::SignArguments, init::Facts, output::Output, run};

/// How long policy may take to say something.
const VERDICT: Duration = Duration::from_secs(30);

/// Signs a contract with the owner's key and says so on the bus; policy's verdict follows.
///
/// # Errors
/// As [`check`], and what the bus refused.
pub async fn sign(dir: &Dir, file: &Path, clock: &Clock) -> Result<Summary, Error> {
    let facts = Facts::read(dir)?;
    let checked = check(file, &dir.catalogue(), clock)?;
    let bus = Operator::connect(&dir.access("owner", &facts.url()), clock.clone()).await?;
    put(&bus, dir, &checked, clock).await
}

async fn put(
    bus: &Operator,
    dir: &Dir,
    checked: &Checked,
    clock: &Clock,
) -> Result<Summary, Error> {
    let key = signing_key::load(&dir.owner_key())?;
    let mut pen = bus.owner(key).await?;
    let document = bus_schema::Sealed::new(clock.salt(), checked.text.as_bytes())
        .map_err(|error| Error::Document(error.to_string()))?;
    let fact = ContractSigned {
        contract: checked.contract.digest(),
        name: checked.contract.name().clone(),
        version: checked.contract.version(),
        language: policy::LANGUAGE,
        document: document.content(),
        envelope: checked.envelope.clone(),
    };
    let draft = Draft::of(Deployment, fact).with(document);
    let seq = pen.say(bus, draft).await?;
    Ok(Summary {
        seq: Some(seq),
        ..checked.summary()
    })
}

/// What policy said to a signed contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Said {
    /// It is in force.
    Activated {
        /// The version before it, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        supersedes: Option<u32>,
    },
    /// It is not; what was in force before stays.
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people.
        why: String,
    },
}

#[derive(Serialize)]
struct Signed<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    changes: &'a [String],
    #[serde(flatten)]
    said: Option<&'a Said>,
}

/// Shows what a contract changes against the version in force, signs it, and waits for policy's verdict.
///
/// # Errors
/// As [`sign`]; [`Error::Refused`] if policy refuses it or says nothing in time, and [`Error::Interrupted`] if the
/// person does not want it.
pub async fn command(
    dir: &Dir,
    arguments: &SignArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let checked = check(&arguments.file, &dir.catalogue(), clock)?;
    let mut history = History::read(dir, clock).await?;
    let tools = read_catalogue(&dir.catalogue())?;
    let changes = changes(&history, &checked, &tools, clock, out).await?;
    let asks = !arguments.yes && !changes.is_empty() && std::io::stdin().is_terminal();
    if asks && !run::ask_terminal().await {
        return Err(Error::Interrupted);
    }
    let summary = put(&history.operator, dir, &checked, clock).await?;
    let said = if arguments.detach {
        None
    } else {
        Some(verdict(&mut history, &summary, clock).await?)
    };
    let signed = Signed {
        summary: &summary,
        changes: &changes,
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
            format!(
                "{}\nin force, in the place of version {old}",
                summary.text()
            )
        }
    });
    match said {
        Some(Said::Refused { why, .. }) => Err(Error::Refused(format!(
            "policy refused the contract: {why}"
        ))),
        Some(Said::Activated { .. }) | None => Ok(()),
    }
}

/// The lines that differ from the version in force. People are shown what they mean, if today's tools still tell.
async fn changes(
    history: &History,
    checked: &Checked,
    tools: &Catalogue,
    clock: &Clock,
    out: &Output,
) -> Result<Vec<String>, Error> {
    let ledger = Ledger::of(&history.facts, clock.wall());
    let name = checked.contract.name();
    let Some(old) = ledger.in_force(name) else {
        out.line_for_people(&format!("no version of `{name}` is in force"));
        return Ok(Vec::new());
    };
    let text = history.text(AuthorId::Owner, &old.document).await?;
    let Some(text) = text else {
        out.line_for_people(&format!(
            "version {} of `{name}` is in force; its text was erased",
            old.version
        ));
        return Ok(Vec::new());
    };
    let changes = lines::changed(&text, &checked.text);
    if changes.is_empty() {
        out.line_for_people(&format!("exactly this text of `{name}` is in force"));
    } else {
        out.line_for_people(&format!(
            "what changes against version {} of `{name}`, which is in force:\n{}",
            old.version,
            match parse(name.as_str(), &text, tools) {
                Ok(before) => policy::diff(&before, &checked.contract, tools).text(),
                Err(_) => changes.join("\n"),
            }
        ));
    }
    Ok(changes)
}

/// Waits for what policy says to what was signed.
async fn verdict(history: &mut History, summary: &Summary, clock: &Clock) -> Result<Said, Error> {
    let (seq, contract) = (summary.seq.unwrap_or_default(), summary.contract);
    let found = history.wait(seq, VERDICT, |fact| {
        if let PolicyFact::ContractActivated(_, fact) = fact
            && fact.contract == contract
        {
            return Some(Ok(fact.supersedes));
        }
        if let PolicyFact::ContractRejected(_, fact) = fact
            && fact.contract == contract
        {
            return Some(Err((fact.code, fact.why)));
        }
        None
    });
    match found.await? {
        Some(Ok(old)) => {
            let ledger = Ledger::of(&history.facts, clock.wall());
            let old = old.and_then(|old| ledger.get(&old).map(|old| old.version));
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
            "policy has said nothing within {} seconds; the contract is signed as message {seq} and comes into force when \
             policy runs: see `contractual doctor` and `contractual contract list`",
            VERDICT.as_secs()
        ))),
    }
}
