//! The conventions, each a function from the tree to its breaches.

mod crates;
mod headers;
mod length;
mod numbers;
mod purity;
mod seams;
mod source;
mod tree;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use length::Allowed;
use source::Sources;
use tree::Tree;

/// One place that does not keep a convention.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    path: String,
    message: String,
}

impl Breach {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Breach {
        Breach { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

pub fn check() -> Result<()> {
    let tree = Tree::read()?;
    let sources = Sources::parse(&tree)?;
    let mut breaches = Vec::new();
    breaches.extend(headers::check(&tree));
    breaches.extend(length::check(&sources, &Allowed::parse(tree.text(length::ALLOWED_FILE)?)?));
    breaches.extend(purity::check(&sources));
    breaches.extend(seams::check(&sources));
    breaches.extend(crates::check(&tree)?);
    breaches.extend(numbers::check(&tree));
    breaches.extend(words::check(&tree));
    for breach in &breaches {
        eprintln!("{breach}");
    }
    if !breaches.is_empty() {
        bail!("tidy: {} breaches in {} files", breaches.len(), tree.len());
    }
    println!("tidy: {} files keep the conventions", tree.len());
    Ok(())
}

/// Lowers the allowed lengths to what they are today; never raises one.
pub fn shrink() -> Result<()> {
    let tree = Tree::read()?;
    let sources = Sources::parse(&tree)?;
    let allowed = Allowed::parse(tree.text(length::ALLOWED_FILE)?)?;
    tree.write(length::ALLOWED_FILE, &length::shrunk(&sources, &allowed).to_string())
}
