//! `herd serve`: builds everything from a configuration, wires it, and drains it at the end.
//!
//! Threads: one for each worker, with the clients and the pools of that worker; one for the
//! control plane, so that nothing there adds latency to a statement.

mod catalog;
mod control;
mod definitions;
mod handover;
mod listen;
mod lock_waits;
mod operator;
mod routines;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use clap::Args;
use herd_catalog::Catalog;
use herd_config::Config;
use herd_execute::Interrupt;
use herd_node::Numberings;
use herd_session::{Clients, Gateway, Metrics, RoutineBook, StaticUsers};
use herd_sidecar::{
    Adopt, ControlPools, Health, Ledger, NodeInventories, Repair, RoleDirectory, RoutineCatalog,
};
use herd_wire::auth::MockSecret;
use herd_wire::startup::GreetingPolicy;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::control::{HerdNodeStates, HerdRoles};
use self::definitions::{HerdDefinitions, LedgerDecisions, LedgerJobs};
use self::handover::Repairing;
use self::listen::Door;
use self::operator::HerdOperator;
use self::routines::HerdRoutines;
use crate::{demo, open_files};

/// How often a drain looks whether the clients have gone.
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// How long sessions may take to end once they were told to.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub struct Options {
    /// The configuration
    #[arg(long, default_value = "proxy.toml")]
    config: PathBuf,
}

/// `herd serve`: until SIGINT or SIGTERM.
pub fn run(options: &Options) -> Result<()> {
    start_logging();
    let file = options.config.clone();
    let config = read_config(&file)?;
    let shutdown = CancellationToken::new();
    let ready = || println!("herd: ready");
    serve(config, ready, shutdown, move || read_config(&file))
}

/// `herd demo`: the same over embedded nodes.
pub fn run_demo(options: &demo::Options) -> Result<()> {
    start_logging();
    demo::run(options, |config, ready, shutdown| {
        let same = config.clone();
        serve(config, ready, shutdown, move || Ok(same.clone()))
    })
}

fn read_config(file: &Path) -> Result<Config> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Config::parse(&text).with_context(|| format!("in {}", file.display()))
}

/// To stderr, by `RUST_LOG`; as JSON when `HERD_LOG=json`.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log that is already set up stays.
    let _ = if std::env::var_os("HERD_LOG").is_some_and(|form| form == "json") {
        log.json().try_init()
    } else {
        log.try_init()
    };
}

/// Serves until `shutdown` is cancelled or the process is told to end, then drains. `ready` is called once clients can connect.
pub fn serve(
    config: Config,
    ready: impl FnOnce() + Send,
    shutdown: CancellationToken,
    reload: impl Fn() -> Result<Config> + Send + Sync + 'static,
) -> Result<()> {
    open_files::allow_for(&config);
    let runtime = control_runtime()?;
    let _control = runtime.enter();
    let bound = listen::bind(&config.listen)?;
    let ledger = Arc::new(handover::open_ledger(&config)?);
    let catalog = runtime.block_on(catalog::open(&ledger, &config))?;
    let listeners = bound.listen(&config.listen)?;
    let operator = HerdOperator::new(Box::new(reload), shutdown.clone());
    let process = Process::assemble(&config, catalog, ledger, operator, runtime.handle())?;
    let stop = CancellationToken::new();
    let workers = worker::start(&process.gateway, &process.numberings, &config, &stop)?;
    let served = runtime.block_on(async {
        let repairing = Repairing::start(process.repair, &process.ledger).await;
        let (gateway, health) = (&process.gateway, &process.health);
        control::start(gateway, &process.pools, health, &stop);
        let http_stop = stop.child_token();
        if let Some(listener) = listeners.http {
            control::start_http(gateway, health, listener, http_stop.clone())?;
        }
        let door = Door::open(listeners.clients, &workers, process.policy);
        ready();
        tracing::info!(nodes = config.nodes.len(), workers = workers.len(), "serving");
        wait_for_end(&process.operator, &shutdown).await;
        let mut limit = gateway.config.load().timeouts.drain;
        if config.listen.reuse_port {
            limit = handover::leave(&process.ledger, repairing, limit).await;
            http_stop.cancel();
        }
        door.close(gateway).await;
        drain(gateway, limit).await;
        Ok(())
    });
    stop.cancel();
    workers.into_iter().for_each(worker::WorkerThread::join);
    runtime.shutdown_timeout(TERMINATE_TIMEOUT);
    served
}

/// What all threads of this process share.
struct Process {
    gateway: Arc<Gateway>,
    operator: Arc<HerdOperator>,
    ledger: Arc<Ledger>,
    repair: Repair,
    pools: Arc<ControlPools>,
    numberings: Arc<Numberings>,
    health: Arc<Health>,
    policy: Arc<ArcSwap<GreetingPolicy>>,
}

impl Process {
    fn assemble(
        config: &Config,
        catalog: Catalog,
        ledger: Arc<Ledger>,
        operator: HerdOperator,
        control: &Handle,
    ) -> Result<Process> {
        let pools = Arc::new(ControlPools::new(config.auth.clone()));
        for (node, name, address) in control::addresses(&catalog, config)? {
            pools.set_node(node, &name, address);
        }
        let roles = Arc::new(RoleDirectory::new(Arc::clone(&pools), catalog.home()));
        let inventories = NodeInventories::new(Arc::clone(&pools), catalog.home(), control.clone());
        let numberings = Arc::new(Numberings::new(Arc::new(inventories)));
        let routines = RoutineCatalog::new(Arc::clone(&pools), catalog.home());
        let routines = HerdRoutines::new(routines, control.clone());
        let health = Arc::new(Health::default());
        let catalog = Arc::new(ArcSwap::from_pointee(catalog));
        let held = Arc::new(watch::channel(false).0);
        let clients = Arc::<Clients>::default();
        let definitions = Arc::new(HerdDefinitions::new(
            Arc::clone(&ledger),
            Arc::clone(&catalog),
            Arc::clone(&held),
            Arc::clone(&clients),
        ));
        let adopt = Arc::clone(&definitions) as Arc<dyn Adopt>;
        let repair = Repair::new(Arc::clone(&ledger), Arc::clone(&pools), adopt)
            .context("cannot read Herd's jobs")?;
        let operator = Arc::new(operator);
        let gateway = Arc::new(Gateway {
            config: ArcSwap::from_pointee(config.clone()),
            static_users: ArcSwap::from_pointee(StaticUsers::of(config)),
            catalog,
            clients,
            metrics: Metrics::new().context("cannot register the metrics")?,
            roles: Arc::new(HerdRoles::new(roles, control.clone())),
            routines: RoutineBook::new(Arc::new(routines)),
            operator: Arc::clone(&operator) as Arc<dyn herd_session::Operator>,
            jobs: Arc::new(LedgerJobs(Arc::clone(&ledger))),
            node_states: Arc::new(HerdNodeStates(Arc::clone(&health))),
            definitions_runner: definitions,
            decisions: Arc::new(LedgerDecisions(Arc::clone(&ledger))),
            held,
            paused: watch::channel(false).0,
            draining: watch::channel(false).0,
            workers: parking_lot::Mutex::default(),
            definitions: AtomicU64::new(0),
            mock_secret: MockSecret::random(),
        });
        let policy = Arc::new(ArcSwap::from_pointee(listen::policy(config)?));
        operator.attach(&gateway, &pools, &policy);
        Ok(Process { gateway, operator, ledger, repair, pools, numberings, health, policy })
    }
}

fn control_runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("herd-control")
        .enable_all()
        .build()
        .context("cannot start the control runtime")
}

/// Waits for the end: SIGTERM, SIGINT, DRAIN. SIGHUP reloads meanwhile.
async fn wait_for_end(operator: &HerdOperator, shutdown: &CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::hangup()),
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut hangups), Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return shutdown.cancelled().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => shutdown.cancel(),
            _ = interrupt.recv() => shutdown.cancel(),
            _ = hangups.recv() => {
                // There is nobody else to tell of an error.
                let _ = operator.reload_now();
            }
            () = shutdown.cancelled() => return,
        }
    }
}

/// Lets every client finish its transaction, then tells those who are left to go.
async fn drain(gateway: &Gateway, limit: Duration) {
    gateway.draining.send_replace(true);
    tracing::info!(clients = gateway.clients.len(), "draining");
    let all_gone = async {
        while !gateway.clients.is_empty() {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    if tokio::time::timeout(limit, all_gone).await.is_ok() {
        return;
    }
    tracing::warn!(clients = gateway.clients.len(), "terminating clients that did not finish");
    for client in gateway.clients.all() {
        client.interrupts.raise(Interrupt::Terminate);
    }
    let all_gone = async {
        while !gateway.clients.is_empty() {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    // Whoever is still there loses the connection with the process.
    let _ = tokio::time::timeout(TERMINATE_TIMEOUT, all_gone).await;
}
