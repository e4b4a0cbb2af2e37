//! From what the nodes say to what it means for Herd.

use std::collections::BTreeSet;

use herd_config::Config;

use super::finding::{About, Finding, Level};
use super::observe::{Facts, Observed, Verifiers};

const VERSION_MIN: i32 = 150_000;
const MAJOR_TESTED_MAX: i32 = 18;
const CONTROL_ACCOUNT: &str = "sql/001_control_account.sql";
const REPAIR_RIGHTS: &str = "sql/002_repair_rights.sql";

/// Names that are told in one finding.
const NAMES_SHOWN_MAX: usize = 5;

pub fn judge(config: &Config, observed: &[Observed]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for observed in observed {
        let mut told = Told { about: About::Node(observed.node.clone()), findings: &mut findings };
        match &observed.facts {
            Err(reason) => unreachable(reason, &mut told),
            Ok(facts) => node(config, observed.node == config.home, facts, &mut told),
        }
    }
    let mut told = Told { about: About::AllNodes, findings: &mut findings };
    together(config, observed, &mut told);
    findings
}

struct Told<'a> {
    about: About,
    findings: &'a mut Vec<Finding>,
}

impl Told<'_> {
    fn fine(&mut self, text: impl Into<String>) {
        self.tell(Level::Fine, text);
    }

    fn note(&mut self, text: impl Into<String>) {
        self.tell(Level::Note, text);
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.tell(Level::Problem, text);
    }

    fn tell(&mut self, level: Level, text: impl Into<String>) {
        self.findings.push(Finding::new(self.about.clone(), level, text));
    }
}

fn unreachable(reason: &str, told: &mut Told<'_>) {
    let login = reason.contains("cannot log in");
    let hint = if login { format!("; {CONTROL_ACCOUNT} makes the account") } else { String::new() };
    told.problem(format!("{reason}{hint}"));
}

fn node(config: &Config, is_home: bool, facts: &Facts, told: &mut Told<'_>) {
    server(facts, told);
    connections(config, facts, told);
    if facts.max_prepared_transactions == 0 {
        told.note(format!(
            "max_prepared_transactions = 0: fragmented and reference tables need it; set it to {} \
             in postgresql.conf and restart the server",
            facts.max_connections
        ));
    } else {
        told.fine(format!("max_prepared_transactions = {}", facts.max_prepared_transactions));
    }
    let account = &config.auth.control_user;
    if facts.is_superuser {
        told.note(format!(
            "{account} is a superuser; {CONTROL_ACCOUNT} makes one with less rights"
        ));
    }
    match (&facts.verifiers, is_home) {
        (Verifiers::Readable(_), _) => told.fine(format!("{account} may read password verifiers")),
        (Verifiers::Hidden, false) => {
            told.note(format!("{account} may not read verifiers here: they were not compared"));
        }
        (Verifiers::Hidden, true) if config.auth.users.is_empty() => told.problem(format!(
            "{account} may not read password verifiers, so no client can log in: run \
             {CONTROL_ACCOUNT}, or list users in auth.users"
        )),
        (Verifiers::Hidden, true) => told.note(format!(
            "{account} may not read password verifiers: only the users of auth.users can log in"
        )),
    }
}

fn server(facts: &Facts, told: &mut Told<'_>) {
    let major = facts.version_number / 10_000;
    if facts.version_number < VERSION_MIN {
        told.problem(format!("PostgreSQL {}: Herd needs 15 or newer", facts.version));
    } else if major > MAJOR_TESTED_MAX {
        told.note(format!("PostgreSQL {major}: Herd is tested up to {MAJOR_TESTED_MAX}"));
    }
    if facts.in_recovery {
        told.problem("it is a standby: name its primary");
    }
    if !facts.standard_conforming_strings {
        told.problem("standard_conforming_strings = off: Herd reads string literals as with on");
    }
}

fn connections(config: &Config, facts: &Facts, told: &mut Told<'_>) {
    let free = facts.max_connections.saturating_sub(facts.reserved_connections);
    let wanted = config.pool.node_connections_max;
    if wanted > free {
        told.note(format!(
            "pool.node_connections_max = {wanted}, but the server gives {free} (max_connections = \
             {} less those reserved): lower the one or raise the other",
            facts.max_connections
        ));
    } else {
        told.fine(format!("{free} connections, of which Herd takes up to {wanted}"));
    }
}

/// What must be the same everywhere is compared with home.
fn together(config: &Config, observed: &[Observed], told: &mut Told<'_>) {
    let facts = |observed: &&Observed| observed.facts.as_ref().ok().cloned();
    let Some(home) = observed.iter().find(|one| one.node == config.home).as_ref().and_then(facts)
    else {
        return;
    };
    if config.nodes.len() > 1 && !home.foreign_roles.is_empty() {
        let roles: Vec<&String> = home.foreign_roles.iter().collect();
        told.note(format!(
            "{} may not end what a dead Herd left prepared by {}: see {REPAIR_RIGHTS}",
            config.auth.control_user,
            names(&roles)
        ));
    }
    let before = told.findings.len();
    let mut compared = 0;
    for other in observed.iter().filter(|one| one.node != config.home) {
        if let Ok(facts) = &other.facts {
            compared += 1;
            let pair = Pair { home_name: &config.home, home: &home, name: &other.node, facts };
            pair.server(told);
            pair.roles(&config.auth.control_user, told);
        }
    }
    if compared > 0 && told.findings.len() == before {
        told.fine("the same encoding, collation, databases, extensions and roles");
    }
}

struct Pair<'a> {
    home_name: &'a str,
    home: &'a Facts,
    name: &'a str,
    facts: &'a Facts,
}

impl Pair<'_> {
    fn server(&self, told: &mut Told<'_>) {
        let Pair { home_name, home, name, facts } = self;
        if facts.encoding != home.encoding {
            let (theirs, ours) = (&facts.encoding, &home.encoding);
            told.problem(format!("{name} stores {theirs}, {home_name} {ours}"));
        }
        let (theirs, ours) = (&facts.collation, &home.collation);
        if (&theirs.provider, &theirs.name, &theirs.ctype)
            != (&ours.provider, &ours.name, &ours.ctype)
        {
            told.problem(format!(
                "{name} sorts by {} ({}), {home_name} by {} ({})",
                theirs.name, theirs.ctype, ours.name, ours.ctype
            ));
        } else if theirs.version != ours.version {
            let shown = |version: &Option<String>| version.clone().unwrap_or("none".to_owned());
            told.note(format!(
                "{name} has version {} of collation {}, {home_name} {}: text may sort differently",
                shown(&theirs.version),
                theirs.name,
                shown(&ours.version)
            ));
        }
        let missing = difference(&home.databases, &facts.databases);
        if !missing.is_empty() {
            told.note(format!(
                "{name} has no database {}: no table of it can have a part there",
                names(&missing)
            ));
        }
        for (extension, version) in &home.extensions {
            match facts.extensions.get(extension) {
                Some(theirs) if theirs == version => {}
                Some(theirs) => told.note(format!(
                    "extension {extension} is {theirs} on {name}, {version} on {home_name}"
                )),
                None => told.note(format!("{name} has no extension {extension}")),
            }
        }
    }

    fn roles(&self, control_user: &str, told: &mut Told<'_>) {
        let Pair { home_name, home, name, facts } = self;
        let (Verifiers::Readable(ours), Verifiers::Readable(theirs)) =
            (&home.verifiers, &facts.verifiers)
        else {
            return;
        };
        let roles = ours.iter().filter(|(role, _)| *role != control_user);
        let (there, missing): (Vec<_>, Vec<_>) =
            roles.partition(|(role, _)| theirs.contains_key(*role));
        let missing: Vec<&String> = missing.into_iter().map(|(role, _)| role).collect();
        if !missing.is_empty() {
            told.note(format!("{name} has no role {}", names(&missing)));
        }
        let differing: Vec<&String> = there
            .into_iter()
            .filter(|(role, verifier)| theirs.get(*role) != Some(verifier))
            .map(|(role, _)| role)
            .collect();
        if !differing.is_empty() {
            told.note(format!(
                "{name} has another password verifier than {home_name} for {}: they cannot be \
                 logged in there; set the verifier of {home_name} on {name} (ALTER ROLE … PASSWORD \
                 'SCRAM-SHA-256$…')",
                names(&differing)
            ));
        }
    }
}

fn difference<'a>(all: &'a [String], some: &[String]) -> Vec<&'a String> {
    let some: BTreeSet<&String> = some.iter().collect();
    all.iter().filter(|name| !some.contains(name)).collect()
}

fn names(names: &[&String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).map(|name| name.as_str()).collect();
    let rest = names.len() - shown.len();
    let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
