//! Every Rust file opens with `//!`: what it owns.

use super::Breach;
use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.rust()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| Breach::new(path, "does not open with `//!`: what does it own?"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_is_told() {
        let tree = Tree::of([("a.rs", "//! Owns a.\n"), ("b.rs", "fn b() {}\n"), ("c.md", "")]);
        let breaches = check(&tree);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].path, "b.rs");
    }
}
