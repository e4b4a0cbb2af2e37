//! RELOAD and DRAIN, and the signals that mean the same.

use std::sync::{Arc, OnceLock, Weak};

use anyhow::Result;
use arc_swap::ArcSwap;
use herd_config::Config;
use herd_session::{Gateway, Operator};
use herd_sidecar::ControlPools;
use herd_types::{ClientError, SqlState};
use herd_wire::startup::GreetingPolicy;
use tokio_util::sync::CancellationToken;

use super::{control, listen, worker};

pub type ReadConfig = Box<dyn Fn() -> Result<Config> + Send + Sync>;

pub struct HerdOperator {
    read: ReadConfig,
    shutdown: CancellationToken,
    served: OnceLock<Served>,
}

/// What a reload changes.
struct Served {
    gateway: Weak<Gateway>,
    control: Arc<ControlPools>,
    policy: Arc<ArcSwap<GreetingPolicy>>,
}

impl HerdOperator {
    pub fn new(read: ReadConfig, shutdown: CancellationToken) -> HerdOperator {
        HerdOperator { read, shutdown, served: OnceLock::new() }
    }

    pub fn attach(
        &self,
        gateway: &Arc<Gateway>,
        control: &Arc<ControlPools>,
        policy: &Arc<ArcSwap<GreetingPolicy>>,
    ) {
        let served = Served {
            gateway: Arc::downgrade(gateway),
            control: Arc::clone(control),
            policy: Arc::clone(policy),
        };
        // Attached once, when the process starts.
        let _ = self.served.set(served);
    }

    /// Reads the configuration and the certificates again. After an error, which is logged here,
    /// nothing has changed.
    pub fn reload_now(&self) -> Result<()> {
        self.try_reload().inspect_err(|error| {
            tracing::error!("the configuration was not reloaded: {error:#}");
        })
    }

    fn try_reload(&self) -> Result<()> {
        let Some(served) = self.served.get() else { return Ok(()) };
        let Some(gateway) = served.gateway.upgrade() else { return Ok(()) };
        let mut config = (self.read)()?;
        let kept = keep_fixed(&gateway.config.load(), &mut config);
        let policy = listen::policy(&config)?;
        let addresses = control::addresses(&gateway.catalog(), &config)?;
        served.policy.store(Arc::new(policy));
        for (index, worker) in gateway.workers.lock().iter().enumerate() {
            worker.pools.configure(worker::share(&config.pool, config.listen.workers, index));
            for (node, name, address) in &addresses {
                worker.pools.set_node(*node, name, address.clone());
            }
        }
        for (node, name, address) in addresses {
            served.control.set_node(node, &name, address);
        }
        gateway.reconfigure(config);
        gateway.routines.outdate();
        tracing::info!("configuration reloaded");
        if !kept.is_empty() {
            tracing::warn!(settings = kept.join(", "), "changed, and needs a restart");
        }
        Ok(())
    }
}

impl Operator for HerdOperator {
    fn reload(&self) -> Result<(), ClientError> {
        self.reload_now().map_err(|error| {
            let told = format!("the configuration was not reloaded: {error:#}");
            ClientError::error(SqlState::INVALID_PARAMETER_VALUE, told)
        })
    }

    fn drain(&self) {
        self.shutdown.cancel();
    }
}

/// Settings that are bound to sockets, threads or the catalog stay as they are; returns which of
/// them are others in the file.
fn keep_fixed(running: &Config, next: &mut Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    macro_rules! keep {
        ($($name:literal: $($field:ident).+;)*) => {
            $(if next.$($field).+ != running.$($field).+ {
                next.$($field).+.clone_from(&running.$($field).+);
                kept.push($name);
            })*
        };
    }
    keep! {
        "home": home;
        "data_dir": data_dir;
        "listen.addresses": listen.addresses;
        "listen.unix_directory": listen.unix_directory;
        "listen.http": listen.http;
        "listen.workers": listen.workers;
        "listen.reuse_port": listen.reuse_port;
        "auth.control_user": auth.control_user;
        "auth.control_password": auth.control_password;
        "auth.control_database": auth.control_database;
        "nodes": nodes;
        "limits.plan_cache_bytes_max": limits.plan_cache_bytes_max;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "[[nodes]]\nname = \"a\"\nhost = \"h\"\n";

    fn config(before: &str) -> Config {
        Config::parse(&format!("{before}{RUNNING}")).expect("it is valid")
    }

    #[test]
    fn what_is_fixed_keeps_its_value_and_is_named() {
        let running = config("");
        let text = "data_dir = \"/other\"\n[listen]\nworkers = 7\n[pool]\nsize_max = 3\n";
        let mut next = config(text);
        assert_eq!(keep_fixed(&running, &mut next), ["data_dir", "listen.workers"]);
        assert_eq!((&next.data_dir, &next.listen), (&running.data_dir, &running.listen));
        assert_eq!(next.pool.size_max, 3);
    }

    #[test]
    fn nodes_are_fixed() {
        let mut next = Config::parse("[[nodes]]\nname = \"a\"\nhost = \"other\"\n").expect("valid");
        assert_eq!(keep_fixed(&config(""), &mut next), ["nodes"]);
        assert_eq!(next.nodes[0].host, "h");
    }
}
