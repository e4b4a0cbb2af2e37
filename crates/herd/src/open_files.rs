//! The limit of open files: each client and each server connection takes one, and shells give a
//! thousand.

use herd_config::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// For listeners, the catalog, logs, control connections and the runtimes.
const OTHER_FILES: u64 = 256;

/// Takes as many as the system lets this user have, and says how many those are.
pub fn raise() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Raises the limit, and warns when it is still less than the configuration may take.
pub fn allow_for(config: &Config) {
    let needed = needed(config);
    match raise() {
        Ok(limit) if limit >= needed => {}
        Ok(limit) => {
            tracing::warn!(limit, needed, "clients may be refused for lack of open files");
        }
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// How many it takes to be at every limit of the configuration.
pub fn needed(config: &Config) -> u64 {
    let server_connections = config.pool.node_connections_max * config.nodes.len();
    (config.limits.clients_max + server_connections) as u64 + OTHER_FILES
}

#[cfg(test)]
mod tests {
    use herd_config::NodeConfig;

    use super::*;

    #[test]
    fn every_client_and_every_server_connection_takes_a_file() {
        let node = |port| NodeConfig::new(format!("n{port}"), "127.0.0.1", port);
        let mut config = Config::with_nodes(vec![node(1), node(2)]);
        config.limits.clients_max = 1000;
        config.pool.node_connections_max = 50;
        assert_eq!(needed(&config), 1000 + 2 * 50 + OTHER_FILES);
    }

    #[test]
    fn raising_twice_changes_nothing() {
        let limit = raise().unwrap();
        assert_eq!(raise(), Ok(limit));
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE), Ok((limit, limit)));
    }
}
