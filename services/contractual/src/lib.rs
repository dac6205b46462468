#![doc = include_str!("../README.md")]

pub mod args;
pub mod certs;
pub mod containers;
pub mod contract;
pub mod decode;
pub mod demo;
mod dir;
pub mod doctor;
mod error;
pub mod fleet;
mod halt;
pub mod init;
pub mod junk;
pub mod nats_server;
pub mod output;
pub mod pki;
pub mod provision;
pub mod relay;
pub mod room;
pub mod run;
pub mod show;
pub mod signed;
pub mod stream;
pub mod tailnet;
pub mod timeline;
pub mod unusual;
pub mod up;
pub mod verify;
pub mod waive;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use actor::Clock;
use bus_schema::AuthorId;
use clap::Parser as _;

use args::{
    Arguments, AuditCommand, CertsCommand, Command, ContractCommand, InitArguments, StreamCommand,
    TaskCommand,
};
use output::Output;

pub use dir::{Dir, Route};
pub use error::Error;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if let Some(code) = first.and_then(|first| runner::stage(&first)) {
        return code;
    }
    match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments),
        Err(error) => {
            // A terminal that is gone cannot read it either.
            error.print().ok();
            if error.use_stderr() {
                ExitCode::from(64)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

fn dispatch(arguments: Arguments) -> ExitCode {
    let Arguments { dir, json, command } = arguments;
    let out = Output::new(json);
    let named = dir.clone().map(Dir::new);
    let dir = dir.or_else(default_dir);
    if let Command::Attached {
        parent,
        program,
        arguments,
    } = &command
    {
        return fleet::attached(*parent, program, arguments);
    }
    if matches!(command, Command::Decode) {
        return decode::command(&out);
    }
    if let Command::Service {
        name,
        config,
        check,
    } = command
    {
        let config = config.or_else(|| dir.map(|dir| Dir::new(dir).config(name)));
        return config.map_or_else(no_home, |config| service(name, &config, check));
    }
    actor::log("warn");
    actor::hardening::harden();
    let Some(dir) = dir else { return no_home() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .map_err(Error::io("start", "the runtime"))
        .and_then(|runtime| {
            let ran = runtime.block_on(Box::pin(reach(command, Dir::new(dir), named, &out)));
            // Whoever was asked on the terminal and pressed Ctrl-C is not waited for.
            runtime.shutdown_background();
            ran
        });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&actor::chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn no_home() -> ExitCode {
    Output::new(false).error("there is no home folder to keep a deployment in: pass --dir DIR");
    ExitCode::from(64)
}

fn service(name: AuthorId, config: &Path, check: bool) -> ExitCode {
    macro_rules! run {
        ($S:ty) => {
            if check {
                actor::check_config::<$S>(config)
            } else {
                actor::run::<$S>(config)
            }
        };
    }
    match name {
        AuthorId::Gateway => run!(gateway::Gateway),
        AuthorId::Worker => run!(worker::Worker),
        AuthorId::Policy => run!(policy::Policy),
        AuthorId::Runner => run!(runner::Runner),
        AuthorId::Audit => run!(audit::Audit),
        AuthorId::Owner => {
            Output::new(false).error("the owner is a person, not a service");
            ExitCode::from(64)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line alone reads the environment"
)]
fn default_dir() -> Option<PathBuf> {
    let set = |name| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))?;
    Some(data.join("contractual"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn today() -> SystemTime {
    SystemTime::now()
}

/// Performs a command; if the deployment is in containers, with a way to them.
async fn reach(command: Command, dir: Dir, named: Option<Dir>, out: &Output) -> Result<(), Error> {
    let makes = matches!(
        command,
        Command::Init(_)
            | Command::Demo { .. }
            | Command::Key { .. }
            | Command::Contract(
                ContractCommand::Decide { .. }
                    | ContractCommand::Explain(_)
                    | ContractCommand::Diff(_)
            )
    );
    let facts = if makes {
        None
    } else {
        init::Facts::read(&dir).ok()
    };
    let Some((facts, containers)) = facts.and_then(|facts| {
        facts
            .containers
            .clone()
            .map(|containers| (facts, containers))
    }) else {
        return perform(command, dir, named, out).await;
    };
    let ports = if let Command::Relay { bus, gateway } = &command {
        (*bus, *gateway)
    } else {
        (0, 0)
    };
    let relay = relay::Relay::open(&containers, &facts, ports).await?;
    let dir = dir.through(relay.route()?);
    tokio::select! {
        done = Box::pin(perform(command, dir, named, out)) => done,
        () = relay.run() => Ok(()),
    }
}

/// Keeps the way to the containers open until Ctrl-C.
async fn keep_open(dir: &Dir, out: &Output) -> Result<(), Error> {
    let mut interrupt = up::Interrupt::listen()?;
    let Some(Route { bus, gateway }) = dir.route() else {
        init::Facts::read(dir)?;
        return Err(Error::Refused(
            "this deployment is not in containers: its addresses are in deployment.toml".to_owned(),
        ));
    };
    out.print(&serde_json::json!({"bus": bus, "gateway": gateway}), || {
        format!("the bus is at {bus}, the gateway at {gateway}, until Ctrl-C")
    });
    interrupt.came().await;
    Ok(())
}

async fn perform(
    command: Command,
    dir: Dir,
    named: Option<Dir>,
    out: &Output,
) -> Result<(), Error> {
    let clock = Clock::system();
    match command {
        Command::Demo { folder, yes } => demo::demo(named, folder, yes, out, &clock).await,
        Command::Init(arguments) => {
            let made = init::init(&dir, &choices(arguments)?, &clock, today())?;
            out.print(&made, || made.text(&dir));
            Ok(())
        }
        Command::Provision => {
            let done = provision::provision(&dir, &init::Facts::read(&dir)?.url(), &clock).await?;
            out.print(&done, || done.text());
            Ok(())
        }
        Command::Up => up::up(dir, out, &clock).await,
        Command::Run(arguments) => run::command(&dir, &arguments, out, &clock).await,
        Command::Task(TaskCommand::List) => run::list(&dir, out, &clock).await,
        Command::Task(TaskCommand::Show { task }) => run::show(&dir, task, out, &clock).await,
        Command::Approve { task, action, key } => {
            let answer = run::Said { approve: true, key };
            run::decide(&dir, (task, action), answer, out, &clock).await
        }
        Command::Deny { task, action, key } => {
            let answer = run::Said {
                approve: false,
                key,
            };
            run::decide(&dir, (task, action), answer, out, &clock).await
        }
        Command::Key { file } => {
            let (key, _) = actor::signing_key::create(&file)?;
            let key = bus_schema::public_key(&key);
            out.print(&serde_json::json!({ "public_key": key }), || {
                key.to_string()
            });
            Ok(())
        }
        Command::Contract(command) => contract_command(command, &dir, out, &clock).await,
        Command::Halt => halt::halt(&dir, out, &clock).await,
        Command::Resume => halt::resume(&dir, out, &clock).await,
        Command::Stream(StreamCommand::Adopt { yes }) => {
            stream::adopt(&dir, yes, out, &clock).await
        }
        Command::Audit(command) => audit_command(command, &dir, out, &clock).await,
        Command::Doctor { tailscale } => {
            doctor::doctor(&dir, tailscale.as_deref(), out, &clock).await
        }
        Command::Certs(command) => certs_command(command, &dir, out),
        Command::Waive {
            service,
            properties,
            days,
        } => {
            let waived = waive::waive(&dir, service, properties, days, &clock)?;
            out.print(&waived, || waived.text(&dir));
            Ok(())
        }
        Command::Health { name, state } => health(&dir, name, state, out, &clock),
        Command::Relay { .. } => keep_open(&dir, out).await,
        Command::Attached { .. } | Command::Decode | Command::Service { .. } => Ok(()),
    }
}

fn choices(arguments: InitArguments) -> Result<init::Choices, Error> {
    let InitArguments {
        workspace,
        catalogue,
        bus,
        gateway,
        sync,
        no_copy,
        containers,
        authkey,
        tailnet_name,
    } = arguments;
    let catalogue = match catalogue {
        Some(path) => {
            contract::read_catalogue(&path)?;
            contract::read_text(&path)?
        }
        None => contract::example::TOOLS.to_owned(),
    };
    let digits = sync.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = sync.get(digits.len()..).unwrap_or_default();
    let interval = digits.parse::<u32>().is_ok() && ["ms", "s", "m", "h"].contains(&unit);
    if !interval && sync != "always" {
        let wrong =
            format!("--sync {sync:?} is neither always nor an interval such as 500ms, 30s or 2m");
        return Err(Error::Document(wrong));
    }
    Ok(init::Choices {
        bus,
        gateway,
        workspace,
        catalogue,
        sync,
        copy: !no_copy,
        containers: containers.then(|| containers::Choices {
            person: person(),
            authkey,
            name: tailnet_name,
        }),
    })
}

/// Whom what is not a container's belongs to: whoever called sudo, or who runs it.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line alone reads the environment"
)]
fn person() -> containers::Person {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let set = |name: &str| std::env::var(name).ok()?.parse().ok();
    match (set("SUDO_UID"), set("SUDO_GID")) {
        (Some(uid), Some(gid)) => containers::Person { uid, gid },
        _ => containers::Person {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
        },
    }
}

fn health(
    dir: &Dir,
    name: AuthorId,
    state: Option<PathBuf>,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let state = state.unwrap_or_else(|| dir.state(name));
    let health = actor::health::read(&state, clock);
    let health = health.map_err(|error| Error::Found(format!("{name}: {error}")))?;
    out.print(&health, || format!("{name}: {}", health.state));
    Ok(())
}

fn certs_command(command: CertsCommand, dir: &Dir, out: &Output) -> Result<(), Error> {
    match command {
        CertsCommand::Renew { service, days } => {
            let renewed = certs::renew(dir, service.as_deref(), days, today())?;
            out.print(&renewed, || renewed.text(dir));
        }
        CertsCommand::Show => {
            let all = certs::show(dir, today())?;
            out.print(&all, || certs::table(&all));
        }
        CertsCommand::Authority { retire } => {
            let done = if retire {
                certs::retire_authority(dir, today())?
            } else {
                certs::new_authority(dir, today())?
            };
            out.print(&done, || done.text(dir));
        }
    }
    Ok(())
}

async fn contract_command(
    command: ContractCommand,
    dir: &Dir,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let summary = match command {
        ContractCommand::Check { file, tools } => {
            let tools = tools.unwrap_or_else(|| dir.catalogue());
            contract::check(&file, &tools, clock)?.summary()
        }
        ContractCommand::Sign(arguments) => {
            return contract::sign_and_wait(dir, &arguments, out, clock).await;
        }
        ContractCommand::List => return contract::list(dir, out, clock).await,
        ContractCommand::Revoke { name } => return contract::revoke(dir, &name, out, clock).await,
        ContractCommand::Decide {
            contract,
            tools,
            asks,
            at,
        } => {
            let at = at.unwrap_or_else(|| clock.wall());
            return contract::decide(&contract, &tools, asks.into(), at);
        }
        ContractCommand::Explain(arguments) => {
            return contract::explain(dir, &arguments, out, clock);
        }
        ContractCommand::Show(arguments) => {
            return contract::show(dir, &arguments, out, clock).await;
        }
        ContractCommand::Diff(arguments) => return contract::diff(dir, &arguments, out),
        ContractCommand::Replay(arguments) => {
            return contract::replay(dir, &arguments, out, clock).await;
        }
        ContractCommand::New(arguments) => {
            return contract::new(dir, &arguments, out, clock).await;
        }
    };
    out.print(&summary, || summary.text());
    Ok(())
}

async fn audit_command(
    command: AuditCommand,
    dir: &Dir,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    match command {
        AuditCommand::Verify { offline } => {
            let verified = if offline {
                verify::files(dir)?.0
            } else {
                verify::files_and_stream(dir, clock).await?
            };
            out.print(&verified, || {
                let events: u64 = verified.events.values().sum();
                let junk = verified.junk_found.iter().map(ToString::to_string);
                let mut lines: Vec<_> = junk.collect();
                lines.push(format!(
                    "verified: {} messages, {events} genuine events, {} junk\nlog size {}, root {}",
                    verified.messages, verified.junk, verified.size, verified.root
                ));
                lines.join("\n")
            });
            Ok(())
        }
        AuditCommand::Show { from, limit, task } => {
            show::show(dir, from, limit, task, out, clock).await
        }
    }
}
