//! The files of the repository, in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Text files by their path from the top.
pub struct Tree {
    top: PathBuf,
    files: BTreeMap<String, String>,
}

impl Tree {
    /// What git tracks, and what it would if it were added.
    pub fn read() -> Result<Tree> {
        let output = git(&["rev-parse", "--show-toplevel"])?;
        let top = PathBuf::from(output.trim());
        let list = git(&[
            "-C",
            &top.to_string_lossy(),
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])?;
        let mut files = BTreeMap::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // Deleted but still in the index, a link, or not text: nothing to read.
            if let Ok(text) = fs::read_to_string(top.join(path)) {
                files.insert(path.to_owned(), text);
            }
        }
        Ok(Tree { top, files })
    }

    #[cfg(test)]
    pub fn of<const N: usize>(files: [(&str, &str); N]) -> Tree {
        let files =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        Tree { top: PathBuf::new(), files }
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }

    pub fn text(&self, path: &str) -> Result<&str> {
        self.files.get(path).map(String::as_str).with_context(|| format!("{path} is missing"))
    }

    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        fs::write(self.top.join(path), text).with_context(|| format!("cannot write {path}"))
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("git names a file that is not UTF-8")
}
