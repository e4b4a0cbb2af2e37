//! Files of 400 lines and functions of 70: what was longer once may only shrink.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};

use super::Breach;
use super::source::Sources;

pub const ALLOWED_FILE: &str = "xtask/long.txt";

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const ALLOWED_HEADER: &str = "\
# Files over 400 lines and functions over 70, with the length they may not exceed. No line may be
# added and no number raised; `cargo xtask tidy --shrink` lowers them after a clean-up.
";

/// Lengths by place: `path`, or `path function`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Allowed(BTreeMap<String, usize>);

impl Allowed {
    /// Lines of `length place`.
    pub fn parse(text: &str) -> Result<Allowed> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                let (lines, place) = line.split_once(' ').context("a line is `length place`")?;
                Ok((place.to_owned(), lines.parse()?))
            })
            .collect::<Result<_>>()
            .map(Allowed)
            .with_context(|| format!("in {ALLOWED_FILE}"))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALLOWED_HEADER)?;
        self.0.iter().try_for_each(|(place, lines)| writeln!(f, "{lines} {place}"))
    }
}

pub fn check(sources: &Sources, allowed: &Allowed) -> Vec<Breach> {
    let long = too_long(sources);
    let grown = long.iter().filter_map(|(place, (lines, max))| {
        match allowed.0.get(place) {
            None => Some(format!("{lines} lines, more than {max}: find the second thing in it")),
            Some(allowed) if lines > allowed => {
                Some(format!("{lines} lines, grown from {allowed}: it may only shrink"))
            }
            Some(allowed) if lines < allowed => {
                Some(format!("{lines} lines, {allowed} in {ALLOWED_FILE}: run tidy --shrink"))
            }
            Some(_) => None,
        }
        .map(|message| Breach::new(place, message))
    });
    let gone = allowed.0.keys().filter(|place| !long.contains_key(*place)).map(|place| {
        Breach::new(ALLOWED_FILE, format!("{place} is short by now: run tidy --shrink"))
    });
    grown.chain(gone).collect()
}

pub fn shrunk(sources: &Sources, allowed: &Allowed) -> Allowed {
    let long = too_long(sources);
    let still = allowed.0.iter().filter_map(|(place, allowed)| {
        let (lines, _) = long.get(place)?;
        Some((place.clone(), *lines.min(allowed)))
    });
    Allowed(still.collect())
}

/// Place to length and limit. Of functions with one name in a file, the longest.
fn too_long(sources: &Sources) -> BTreeMap<String, (usize, usize)> {
    let mut long = BTreeMap::new();
    for source in &sources.0 {
        if source.lines > FILE_LINES_MAX {
            long.insert(source.path.clone(), (source.lines, FILE_LINES_MAX));
        }
        for function in &source.functions {
            if function.lines > FUNCTION_LINES_MAX {
                let place = format!("{} {}", source.path, function.name);
                let entry = long.entry(place).or_insert((0, FUNCTION_LINES_MAX));
                entry.0 = entry.0.max(function.lines);
            }
        }
    }
    long
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn function_of(lines: usize) -> Sources {
        let text = format!("fn long() {{{}}}\n", "\n".repeat(lines - 1));
        Sources::parse(&Tree::of([("a.rs", &text)])).unwrap()
    }

    fn allowed(text: &str) -> Allowed {
        Allowed::parse(text).unwrap()
    }

    #[test]
    fn seventy_lines_are_enough() {
        assert_eq!(check(&function_of(70), &Allowed::default()), []);
        let breaches = check(&function_of(71), &Allowed::default());
        assert_eq!(breaches[0].path, "a.rs long");
    }

    #[test]
    fn a_long_file_is_told_even_if_its_functions_are_short() {
        let text = "fn a() {}\n".repeat(401);
        let sources = Sources::parse(&Tree::of([("a.rs", &text)])).unwrap();
        assert_eq!(check(&sources, &Allowed::default())[0].path, "a.rs");
    }

    #[test]
    fn what_was_long_may_only_shrink() {
        let grown = check(&function_of(91), &allowed("# why\n\n90 a.rs long\n"));
        assert!(grown[0].message.contains("grown from 90"));
        assert_eq!(check(&function_of(90), &allowed("90 a.rs long")), []);
        let shrunk_by_now = check(&function_of(89), &allowed("90 a.rs long"));
        assert!(shrunk_by_now[0].message.contains("--shrink"));
        let short_by_now = check(&function_of(60), &allowed("90 a.rs long"));
        assert!(short_by_now[0].message.contains("short by now"));
    }

    #[test]
    fn shrinking_lowers_and_removes_but_never_adds() {
        let text = format!("{ALLOWED_HEADER}80 a.rs long\n");
        assert_eq!(shrunk(&function_of(80), &allowed("90 a.rs long")).to_string(), text);
        assert_eq!(shrunk(&function_of(99), &allowed("80 a.rs long")).to_string(), text);
        assert_eq!(shrunk(&function_of(99), &Allowed::default()), Allowed::default());
        assert_eq!(shrunk(&function_of(60), &allowed("90 a.rs long")), Allowed::default());
    }
}
