//! Words that tell of unfinished work or of one person's machine.

use super::Breach;
use super::tree::Tree;

const WORDS: [&str; 8] = ["TODO", "FIXME", "XXX", "HACK", "WIP", "/home/", "/root/", "/Users/"];

/// This list itself.
const EXEMPT: &str = "xtask/src/tidy/words.rs";

pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.files()
        .filter(|(path, _)| *path != EXEMPT && !path.ends_with(".lock"))
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate();
            lines.flat_map(move |(index, line)| {
                let found = WORDS.iter().filter(|word| contains_word(line, word));
                found.map(move |word| {
                    Breach::new(format!("{path}:{}", index + 1), format!("says {word}"))
                })
            })
        })
        .collect()
}

/// Not as a part of a longer word: `mktemp` wants XXXXXX.
fn contains_word(line: &str, word: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    line.match_indices(word).any(|(start, _)| {
        let bytes = line.as_bytes();
        let before = start.checked_sub(1).and_then(|index| bytes.get(index));
        let after = bytes.get(start + word.len());
        word.starts_with('/') || (!is_word(before) && !is_word(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_word_is_told_with_its_line() {
        let tree = Tree::of([("a.rs", "//! A.\n// TODO: later\n"), ("b.sh", "mktemp XXXXXX\n")]);
        let breaches = check(&tree);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].path, "a.rs:2");
    }
}
