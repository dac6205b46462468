//! Connects the core to the bus and to what calls the tools.

use std::process::ExitCode;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use actor::{BackgroundTasks, Bus, Claim, Context, Error, Service, chain};
use bus_schema::{AuthorId, Content, Halt, Halted};
use tokio::sync::{mpsc, watch};

use crate::core::ExecutorCore;
use crate::effect::{Effect, Input};
use crate::execute::{Execute, Troubles};
use crate::execution::Execution;
use crate::halt::Order;
use crate::stops::Stops;

/// Backoff before a fetch of arguments is retried.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// The interval at which tools that cannot be executed are checked again.
const INSTALL_AGAIN: Duration = Duration::from_secs(10);

/// An executor as a service.
#[derive(Debug)]
pub struct ExecutorService<E: Execute> {
    execution: Execution<E>,
    halt: Arc<Order>,
}

/// Runs an executor: its whole `main`.
#[must_use]
pub fn main<E: Execute>() -> ExitCode {
    actor::main::<ExecutorService<E>>()
}

impl<E: Execute> Service for ExecutorService<E> {
    type Core = ExecutorCore<E>;
    type Config = E::Config;

    fn open(config: E::Config, context: &Context) -> Result<(Self, ExecutorCore<E>), Error> {
        let execute = E::open(config, context)?;
        let (core, gate) = ExecutorCore::new(context.owner, execute.programs_max());
        let execution = Execution {
            execute: Arc::new(execute),
            installed: RwLock::default(),
            stops: Stops {
                gate,
                stop: context.stop.clone(),
            },
            clock: context.clock.clone(),
        };
        let halt = Arc::new(Order::open(&context.state)?);
        Ok((Self { execution, halt }, core))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let order = Arc::clone(&service.halt);
        let (input, gate) = (beside.input.clone(), service.execution.stops.gate.clone());
        if let Some(at) = order.kept() {
            // The channel is empty at the start.
            input.try_send(Input::Halt(at)).ok();
        }
        service.execution.execute.attach(beside.bus.clone());
        let bus = beside.bus.clone();
        beside.spawn(async move {
            bus.serve(move |halt: Halt| {
                order.keep(halt.at);
                // The caller repeats the order until it has been applied.
                input.try_send(Input::Halt(halt.at)).ok();
                Halted {
                    halted: gate.borrow().halted,
                    running: order.running(),
                }
            })
            .await;
            Ok(())
        });
        let (input, stop) = (beside.input.clone(), beside.stop.clone());
        beside.spawn(reinstall(Arc::clone(service), input.clone(), stop.clone()));
        let execute = Arc::clone(&service.execution.execute);
        beside.spawn(E::attend(execute, Troubles::new(input), stop));
        Ok(())
    }

    async fn perform(service: Arc<Self>, effect: Effect<E::Me>, bus: Bus<E::Me>) -> Input<E::Tool> {
        match effect {
            Effect::Probe => Input::Probed(service.execution.execute.probe().await),
            Effect::Fetch { action, by, args } => match bus.get(by, &args).await {
                Ok(bytes) => Input::Args(action, bytes),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "cannot read arguments; retrying");
                    tokio::time::sleep(ASK_AGAIN).await;
                    Input::Unanswered
                }
            },
            Effect::Install { catalogue } => install(&service, catalogue, &bus).await,
            Effect::Run(claim) => Box::pin(act(&service, *claim, &bus)).await,
        }
    }
}

/// Checks the tools of a signed catalogue, and has later actions executed with them.
async fn install<E: Execute>(
    service: &ExecutorService<E>,
    catalogue: Content,
    bus: &Bus<E::Me>,
) -> Input<E::Tool> {
    let document = match bus.get(AuthorId::Owner, &catalogue).await {
        Ok(document) => document,
        Err(error) => {
            tracing::warn!(error = chain(&error), "cannot read the catalogue; retrying");
            tokio::time::sleep(ASK_AGAIN).await;
            return Input::Unanswered;
        }
    };
    let execute = Arc::clone(&service.execution.execute);
    // It may digest the files of every program.
    let reading = tokio::task::spawn_blocking(move || execute.read(document.as_deref()));
    let installed = match reading.await {
        Ok(installed) => Arc::new(installed),
        Err(error) => {
            tracing::error!(error = chain(&error), "cannot check the tools; retrying");
            tokio::time::sleep(ASK_AGAIN).await;
            return Input::Unanswered;
        }
    };
    let before = service.execution.installed();
    if !installed.faults().eq(before.faults()) {
        for problem in installed.faults() {
            tracing::error!(problem, "a tool cannot be executed");
        }
    }
    service.execution.install(Arc::clone(&installed));
    Input::Installed(catalogue, installed)
}

/// Has tools that cannot be executed checked again from time to time: their files may have been put in place.
async fn reinstall<E: Execute>(
    service: Arc<ExecutorService<E>>,
    input: mpsc::Sender<Input<E::Tool>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(INSTALL_AGAIN) => {}
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                return Ok(());
            }
        }
        if service.execution.installed().trouble().is_some() {
            // A core that has ended needs no news.
            input.send(Input::Reinstall).await.ok();
        }
    }
}

async fn act<E: Execute>(
    service: &ExecutorService<E>,
    claim: Claim<E::Me>,
    bus: &Bus<E::Me>,
) -> Input<E::Tool> {
    let action = claim.draft().action;
    let done = {
        let _running = service.halt.run();
        let execution = &service.execution;
        execution
            .perform(claim.draft(), claim.places(), claim.args())
            .await
    };
    if let Some(done) = done {
        match bus.seal(&done.output) {
            // An executor that stops before the outcome is stored leaves it unknown to every reader.
            Ok(output) => drop(
                bus.settle(claim.settle(done.outcome, done.usage, (output, done.sent)))
                    .await,
            ),
            Err(error) => tracing::error!(error = chain(&error), "cannot store the output"),
        }
    }
    Input::Ran(action)
}
