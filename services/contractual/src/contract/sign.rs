//! `contract sign`: the owner's signature under a contract, what it changes, and what policy says to it.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use actor::{Clock, Operator, signing_key};
use bus_schema::{AuthorId, ContractSigned, Deployment, Draft, PolicyFact, RefusalCode};
use policy::{Catalogue, Contract, Drift, ReadNow};
use serde::Serialize;

use super::{Checked, Listed, Summary, check, history::History, ledger::Ledger, lines, parse};
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
    let entries = policy::entries(&checked.tools, &checked.envelope);
    let tools = bus_schema::Sealed::new(clock.salt(), &entries)
        .map_err(|error| Error::Document(format!("the tools of the contract: {error}")))?;
    let fact = ContractSigned {
        contract: checked.contract.digest(),
        name: checked.contract.name().clone(),
        version: checked.contract.version(),
        document: document.content(),
        pins: policy::pins(&checked.tools, tools.content()),
        envelope: checked.envelope.clone(),
    };
    let draft = Draft::of(Deployment, fact).with(document).with(tools);
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
    /// It is not; what was in force before stays, for policy.
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
    /// Lines of the text.
    changes: &'a [String],
    /// What it is read by.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a Drift>,
    #[serde(flatten)]
    said: Option<&'a Said>,
}

/// What a signature changes against the version in force.
#[derive(Default)]
struct Changes {
    /// Lines that stand in one of the texts alone.
    lines: Vec<String>,
    /// How what it is read by differs from what was signed.
    drift: Option<Drift>,
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
    let changes = changes(&history, &checked, clock, out).await?;
    let differs = !changes.lines.is_empty() || changes.drift.is_some();
    let asks = !arguments.yes && differs && std::io::stdin().is_terminal();
    if asks && run::ask_terminal().await != Some(true) {
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

/// What differs from the version in force, in its text and in what it is read by, shown to people as well.
async fn changes(
    history: &History,
    checked: &Checked,
    clock: &Clock,
    out: &Output,
) -> Result<Changes, Error> {
    let ledger = Ledger::of(&history.facts, clock.wall());
    let name = checked.contract.name();
    let Some(old) = ledger.in_force(name) else {
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
        Ok(before) => policy::diff(before, &checked.contract, &checked.tools).text(),
        Err(_) => lines.join("\n"),
    };
    out.line_for_people(&if is_same {
        format!("exactly this text of `{name}` is in force")
    } else if text.is_none() {
        format!("version {version} of `{name}` is in force; its text was erased")
    } else {
        format!(
            "what changes against version {version} of `{name}`, which is in force:\n{}",
            meaning()
        )
    });
    let drift = drift(history, old, before.as_ref(), &checked.tools).await?;
    if let Some(drift) = &drift {
        out.line_for_people(&format!(
            "what it is read by is not what was signed; this is signed with it:\n{}",
            drift.text()
        ));
    }
    Ok(Changes { lines, drift })
}

/// How what the version in force is read by differs from what was signed.
async fn drift(
    history: &History,
    old: &Listed,
    before: Result<&Contract, &String>,
    tools: &Catalogue,
) -> Result<Option<Drift>, Error> {
    let signed = history.operator.get(AuthorId::Owner, &old.pins.tools);
    let signed = signed.await?;
    let envelope = before.map(|before| policy::envelope(before, tools));
    let now = ReadNow {
        catalogue: tools,
        envelope: envelope.as_ref().map_err(|why| why.as_str()),
    };
    Ok(policy::drift(
        (&old.pins, &old.envelope),
        signed.as_deref(),
        &now,
    ))
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
