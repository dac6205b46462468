//! `gated-action`: the time from the proposal to the recorded outcome, compared with the bus alone.

use std::collections::BTreeMap;

use crate::{
    actions::Actions,
    deployment::Deployment,
    floor::Floor,
    runtime::Error,
    system::{Pair, STEPS, TASKS, all, compare, pair, system, tips},
    table::{self, Row, Times},
    variants::Variants,
};

/// The number of rounds; system and floors take turns, so that a change of the machine's speed affects all.
const ROUNDS: usize = 3;
/// The number of readers that is compared with five.
const READERS: usize = 10;
/// The floors: name, true if messages are delivered to all readers, and true if events have the compare-and-set.
const FLOORS: [(&str, bool, bool); 3] = [
    ("floor", true, false),
    ("floor with compare-and-set", true, true),
    ("bare floor", false, false),
];

/// The settings of the server.
const SETTINGS: [&str; 2] = ["always", "2m"];

/// Arguments: the settings of the server, `always` or `2m`, both if none is named; `--readers N` for another number of
/// readers than 10 to compare with 5; `--shipped` for nothing but the configuration that is shipped.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let said = |part: &str| arguments.iter().any(|said| said == part);
    let all = !SETTINGS.iter().any(|sync| said(sync));
    let readers = table::option(arguments, "--readers")?.unwrap_or(READERS);
    let mut rows = Vec::new();
    for sync in SETTINGS.into_iter().filter(|sync| all || said(sync)) {
        let variants = if said("--shipped") {
            Variants::default()
        } else {
            Variants::create(sync, readers)?
        };
        rows.extend(one_setting(sync, variants)?);
    }
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("gated-action", &rows);
    Ok(())
}

fn one_setting(sync: &str, mut variants: Variants) -> Result<Vec<Row>, Error> {
    let deployment = Deployment::create(sync)?;
    let mut contract = None;
    let mut ours = Vec::new();
    let mut client = Times::default();
    let mut floors: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
    for round in 1..=ROUNDS {
        table::line(&format!(
            "\n== sync_interval {sync}, round {round} of {ROUNDS}, load average {}",
            table::load()
        ));
        let system = system(&deployment, &mut contract)?;
        let sizes = system.alone.sizes();
        ours.push(system.pair("ours"));
        client.append(system.client);
        variants.round()?;
        let mut tips = system.tips;
        for (name, deliveries, compare_and_set) in FLOORS {
            let mut of = |lanes, actions| -> Result<Actions, Error> {
                let floor = Floor {
                    lanes,
                    actions,
                    sizes,
                    deliveries,
                    compare_and_set,
                    tips,
                };
                let (measured, after) = one_floor(&deployment, floor)?;
                tips = after;
                Ok(measured)
            };
            let (alone, together) = (of(1, STEPS.1)?, of(TASKS, STEPS.0)?);
            let found = floors.entry(name).or_default();
            found.push(pair(name, &alone, &together));
        }
    }
    table::line(&format!("\n== sync_interval {sync}, all rounds"));
    let shipped = all("ours", ours);
    let beside = variants.rows(sync, &shipped);
    let (alone, together) = shipped;
    table::line(&format!("    seen by the client: {}", client.text()));
    let mut rows = Vec::new();
    for (name, ..) in FLOORS {
        let floor = all(name, floors.remove(name).unwrap_or_default());
        rows.extend(compare(sync, "1 in flight", name, &alone, &floor.0));
        let flight = format!("{TASKS} in flight");
        rows.extend(compare(sync, &flight, name, &together, &floor.1));
    }
    let case = format!("sync {sync}, 1 in flight, client's view: p50 ms");
    let whole = alone.whole.percentile(50);
    rows.push(Row::new(case, client.percentile(50), Some(whole)));
    rows.extend(beside);
    Ok(rows)
}

fn one_floor(deployment: &Deployment, floor: Floor) -> Result<(Actions, (u64, u64)), Error> {
    // It keeps the server's process, and is idle while the floor runs.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let fleet = runtime.block_on(deployment.start_nats())?;
    let ran = floor.run(deployment);
    let tips = runtime.block_on(tips(deployment));
    runtime.block_on(fleet.stop());
    Ok((ran?, tips?))
}
