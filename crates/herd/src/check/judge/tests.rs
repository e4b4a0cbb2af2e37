//! Each verdict, from scripted facts.

use std::collections::BTreeMap;

use herd_config::{Config, NodeConfig, Password, StaticUser};

use super::super::observe::Collation;
use super::*;

fn healthy() -> Facts {
    Facts {
        version: "15.20".to_owned(),
        version_number: 150_020,
        in_recovery: false,
        is_superuser: false,
        max_connections: 100,
        reserved_connections: 3,
        max_prepared_transactions: 100,
        standard_conforming_strings: true,
        encoding: "UTF8".to_owned(),
        collation: Collation {
            provider: "c".to_owned(),
            name: "C.UTF-8".to_owned(),
            ctype: "C.UTF-8".to_owned(),
            version: Some("2.36".to_owned()),
        },
        databases: vec!["app".to_owned(), "postgres".to_owned()],
        verifiers: Verifiers::Readable(BTreeMap::from([
            ("app".to_owned(), Some("fingerprint".to_owned())),
            ("herd_control".to_owned(), Some("of n1".to_owned())),
        ])),
        foreign_roles: Vec::new(),
        extensions: BTreeMap::from([("plpgsql".to_owned(), "1.0".to_owned())]),
    }
}

fn changed(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = healthy();
    change(&mut facts);
    facts
}

fn config(nodes: usize) -> Config {
    let node = |number: u16| NodeConfig::new(format!("n{number}"), "127.0.0.1", 5430 + number);
    Config::with_nodes((1..).take(nodes).map(node).collect())
}

/// What is told beyond `Fine`, of n1, n2, …
fn verdict_with(config: &Config, facts: Vec<Result<Facts, String>>) -> Vec<(Level, String)> {
    let observed: Vec<Observed> = config
        .nodes
        .iter()
        .zip(facts)
        .map(|(node, facts)| Observed { node: node.name.clone(), facts })
        .collect();
    judge(config, &observed)
        .into_iter()
        .filter(|finding| finding.level != Level::Fine)
        .map(|finding| (finding.level, finding.text))
        .collect()
}

fn verdict(facts: Vec<Result<Facts, String>>) -> Vec<(Level, String)> {
    verdict_with(&config(facts.len()), facts)
}

#[track_caller]
fn told(verdict: &[(Level, String)], level: Level, text: &str) {
    assert_eq!(verdict.len(), 1, "{verdict:?}");
    assert_eq!(verdict[0].0, level);
    assert!(verdict[0].1.contains(text), "{verdict:?}");
}

#[test]
fn healthy_nodes_leave_nothing_to_say() {
    let n2 = changed(|facts| {
        let Verifiers::Readable(roles) = &mut facts.verifiers else { return };
        roles.insert("herd_control".to_owned(), Some("of n2".to_owned()));
    });
    assert_eq!(verdict(vec![Ok(healthy()), Ok(n2)]), []);
}

#[test]
fn a_node_that_cannot_be_asked_is_a_problem() {
    let down = verdict(vec![Ok(healthy()), Err("connection refused".to_owned())]);
    told(&down, Level::Problem, "connection refused");
    let stranger = verdict(vec![Err("cannot log in as herd_control".to_owned())]);
    told(&stranger, Level::Problem, "sql/001_control_account.sql makes the account");
}

#[test]
fn an_old_server_a_standby_and_backslashes_are_problems() {
    let old = changed(|facts| facts.version_number = 140_011);
    told(&verdict(vec![Ok(old)]), Level::Problem, "needs 15 or newer");
    let standby = changed(|facts| facts.in_recovery = true);
    told(&verdict(vec![Ok(standby)]), Level::Problem, "standby");
    let strings = changed(|facts| facts.standard_conforming_strings = false);
    told(&verdict(vec![Ok(strings)]), Level::Problem, "standard_conforming_strings");
    let young = changed(|facts| facts.version_number = 190_000);
    told(&verdict(vec![Ok(young)]), Level::Note, "tested up to 18");
}

#[test]
fn what_is_missing_for_more_is_a_note() {
    let unprepared = changed(|facts| facts.max_prepared_transactions = 0);
    told(&verdict(vec![Ok(unprepared)]), Level::Note, "max_prepared_transactions = 0");
    let small = changed(|facts| facts.max_connections = 50);
    told(&verdict(vec![Ok(small)]), Level::Note, "the server gives 47");
    let superuser = changed(|facts| facts.is_superuser = true);
    told(&verdict(vec![Ok(superuser)]), Level::Note, "less rights");
}

#[test]
fn hidden_verifiers_are_a_problem_only_without_listed_users() {
    let hidden = || changed(|facts| facts.verifiers = Verifiers::Hidden);
    told(&verdict(vec![Ok(hidden())]), Level::Problem, "no client can log in");
    let mut listed = config(1);
    let password = Password::new("secret".to_owned());
    listed.auth.users = vec![StaticUser { name: "app".to_owned(), password }];
    told(&verdict_with(&listed, vec![Ok(hidden())]), Level::Note, "only the users of auth.users");
    told(&verdict(vec![Ok(healthy()), Ok(hidden())]), Level::Note, "not compared");
}

#[test]
fn roles_that_cannot_be_repaired_are_told_where_there_are_several_nodes() {
    let foreign = || changed(|facts| facts.foreign_roles = vec!["app".to_owned()]);
    assert_eq!(verdict(vec![Ok(foreign())]), []);
    let several = verdict(vec![Ok(foreign()), Ok(foreign())]);
    told(&several, Level::Note, "left prepared by app: see sql/002_repair_rights.sql");
}

#[test]
fn nodes_that_differ_are_told() {
    let against_home = |facts| verdict(vec![Ok(healthy()), Ok(facts)]);
    let latin = changed(|facts| facts.encoding = "LATIN1".to_owned());
    told(&against_home(latin), Level::Problem, "n2 stores LATIN1, n1 UTF8");
    let sorted = changed(|facts| facts.collation.name = "de_DE.UTF-8".to_owned());
    told(&against_home(sorted), Level::Problem, "n2 sorts by de_DE.UTF-8");
    let glibc = changed(|facts| facts.collation.version = Some("2.41".to_owned()));
    told(&against_home(glibc), Level::Note, "version 2.41");
    let databases = changed(|facts| facts.databases = vec!["postgres".to_owned()]);
    told(&against_home(databases), Level::Note, "no database app");
    let extensions = changed(|facts| facts.extensions.clear());
    told(&against_home(extensions), Level::Note, "no extension plpgsql");
}

#[test]
fn roles_with_another_verifier_are_named_without_it() {
    let roles = |roles: &[(&str, &str)]| {
        let owned =
            |(role, verifier): &(&str, &str)| (role.to_string(), Some(verifier.to_string()));
        changed(|facts| facts.verifiers = Verifiers::Readable(roles.iter().map(owned).collect()))
    };
    let other = verdict(vec![Ok(healthy()), Ok(roles(&[("app", "b4d5ec7e")]))]);
    told(&other, Level::Note, "another password verifier than n1 for app");
    assert!(!other[0].1.contains("b4d5ec7e"), "{other:?}");
    told(&verdict(vec![Ok(healthy()), Ok(roles(&[]))]), Level::Note, "n2 has no role app");
}
