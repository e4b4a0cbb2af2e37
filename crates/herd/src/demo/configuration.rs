//! The configuration of a demo: `DIR/proxy.toml`, which `herd serve` would read as well.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use herd_config::Config;
use toml::{Table, Value};

use super::Options;
use super::directory::{Directory, NodeState, State};
use super::node::ACCOUNT;

/// The first node is in one data centre, the others in another.
const FIRST_DC: &str = "east";
const OTHER_DC: &str = "west";

/// The given settings with the demo's own on top.
pub fn write(directory: &Directory, state: &State, options: &Options) -> Result<Config> {
    let mut settings = Table::new();
    if let Some(file) = &options.settings {
        let told = || format!("cannot read {}", file.display());
        let text = fs::read_to_string(file).with_context(told)?;
        settings = text.parse().with_context(told)?;
        if settings.contains_key("nodes") {
            bail!("{}: the demo has its own [[nodes]]", file.display());
        }
    }
    let catalog = directory.catalog();
    fs::create_dir_all(&catalog).with_context(|| format!("cannot make {}", catalog.display()))?;
    settings.insert("data_dir".to_owned(), catalog.display().to_string().into());
    settings.insert("nodes".to_owned(), nodes(state));
    let listen = section(&mut settings, "listen")?;
    listen.insert("addresses".to_owned(), vec![options.listen.to_string()].into());
    listen.insert("http".to_owned(), options.http.to_string().into());
    let auth = section(&mut settings, "auth")?;
    for setting in ["control_user", "control_password", "control_database"] {
        auth.insert(setting.to_owned(), ACCOUNT.into());
    }

    let file = directory.path().join("proxy.toml");
    let text = format!("# Written by `herd demo` at each start.\n{settings}");
    write_private(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Config::parse(&text).with_context(|| format!("in {}", file.display()))
}

/// There may be passwords in it.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file)?.write_all(text.as_bytes())
}

fn nodes(state: &State) -> Value {
    let node = |(index, node): (usize, &NodeState)| {
        let dc = if index == 0 { FIRST_DC } else { OTHER_DC };
        Value::Table(Table::from_iter([
            ("name".to_owned(), node.name.clone().into()),
            ("host".to_owned(), "127.0.0.1".into()),
            ("port".to_owned(), i64::from(node.port).into()),
            ("dc".to_owned(), dc.into()),
        ]))
    };
    state.nodes.iter().enumerate().map(node).collect::<Vec<Value>>().into()
}

fn section<'a>(settings: &'a mut Table, name: &str) -> Result<&'a mut Table> {
    let section = settings.entry(name).or_insert_with(|| Table::new().into());
    section.as_table_mut().with_context(|| format!("{name} must be a section, [{name}]"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The configuration of a demo with one node and these further settings.
    fn with_settings(test: &str, settings: &str) -> Result<Config> {
        let name = format!("herd-configuration-{test}-{}", std::process::id());
        let scratch = Scratch(std::env::temp_dir().join(name));
        let directory = Directory::open(&scratch.0).unwrap();
        let file = scratch.0.join("settings.toml");
        fs::write(&file, settings).unwrap();
        let nodes = vec![NodeState { name: "n1".to_owned(), port: 20_000 }];
        let state = State { postgresql: 15, sample: false, nodes };
        let options = Options {
            dir: scratch.0.clone(),
            listen: "127.0.0.1:1".parse().unwrap(),
            http: "127.0.0.1:2".parse().unwrap(),
            nodes: 1,
            empty: true,
            settings: Some(file),
        };
        write(&directory, &state, &options)
    }

    #[test]
    fn settings_are_kept_beneath_those_of_the_demo() {
        let settings = "[pool]\nsize_max = 3\n[listen]\nworkers = 2\nhttp = \"127.0.0.1:9\"\n";
        let config = with_settings("kept", settings).unwrap();
        assert_eq!(config.pool.size_max, 3);
        assert_eq!(config.listen.workers, 2);
        assert_eq!(config.listen.http, Some("127.0.0.1:2".parse().unwrap()));
        assert_eq!(config.nodes[0].port, 20_000);
        assert_eq!(config.auth.control_user, ACCOUNT);
    }

    #[test]
    fn nodes_of_the_settings_are_refused() {
        let error = with_settings("nodes", "[[nodes]]\nname = \"x\"\nhost = \"y\"\n");
        assert!(error.unwrap_err().to_string().contains("the demo has its own [[nodes]]"));
    }
}
