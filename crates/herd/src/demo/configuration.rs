//! The configuration of a demo: `DIR/proxy.toml`, which `herd serve` would read as well.

use std::fs;

use anyhow::{Context, Result, bail};
use herd_config::Config;
use toml::{Table, Value};

use super::Options;
use super::directory::{Directory, State};
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
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    Config::parse(&text).with_context(|| format!("in {}", file.display()))
}

fn nodes(state: &State) -> Value {
    let node = |(index, node): (usize, &super::directory::NodeState)| {
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
