//! The findings for an operator to read.

use std::path::Path;

use herd_config::Config;

use super::finding::{About, Finding, Level};
use super::observe::Observed;

/// Prints everything, and returns how many problems there are.
pub fn print(file: &Path, config: &Config, observed: &[Observed], findings: &[Finding]) -> usize {
    println!(
        "{} is valid: {}, home is {}, {}",
        file.display(),
        count(config.nodes.len(), "node"),
        config.home,
        count(config.listen.workers, "worker")
    );
    section("this machine", &About::Machine, findings);
    for (node, observed) in config.nodes.iter().zip(observed) {
        let version = match &observed.facts {
            Ok(facts) => format!(", PostgreSQL {}", facts.version),
            Err(_) => String::new(),
        };
        let heading = format!("{}, {}:{}{version}", node.name, node.host, node.port);
        section(&heading, &About::Node(node.name.clone()), findings);
    }
    section("all nodes", &About::AllNodes, findings);

    let of_level = |level| findings.iter().filter(|finding| finding.level == level).count();
    let problems = of_level(Level::Problem);
    let verdict = if problems == 0 { "Herd can serve" } else { "Herd cannot serve like this" };
    println!(
        "\n{verdict}: {}, {}",
        count(problems, "problem"),
        count(of_level(Level::Note), "note")
    );
    problems
}

fn section(heading: &str, about: &About, findings: &[Finding]) {
    let mut findings = findings.iter().filter(|finding| finding.about == *about).peekable();
    if findings.peek().is_none() {
        return;
    }
    println!("\n{heading}");
    for finding in findings {
        let level = match finding.level {
            Level::Fine => "ok",
            Level::Note => "note",
            Level::Problem => "PROBLEM",
        };
        println!("  {level:<7}  {}", finding.text);
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
