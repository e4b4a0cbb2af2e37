//! Rust files, parsed: the functions in them, and the paths that their production code names.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemMod, ItemUse, Path, Signature, TraitItemFn, UseTree,
};

use super::tree::Tree;

pub struct Sources(pub Vec<Source>);

pub struct Source {
    pub path: String,
    pub lines: usize,
    pub functions: Vec<Function>,
    /// As written, `std::fs::read`, without those of test code.
    pub paths: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub lines: usize,
}

impl Sources {
    pub fn parse(tree: &Tree) -> Result<Sources> {
        tree.rust()
            .map(|(path, text)| Source::parse(path, text))
            .collect::<Result<_>>()
            .map(Sources)
    }
}

impl Source {
    fn parse(path: &str, text: &str) -> Result<Source> {
        let file = syn::parse_file(text).with_context(|| format!("cannot parse {path}"))?;
        let mut visitor = Visitor {
            functions: Vec::new(),
            paths: BTreeSet::new(),
            in_tests: is_test_file(path) || is_test_only(&file.attrs),
        };
        visitor.visit_file(&file);
        let Visitor { functions, paths, .. } = visitor;
        Ok(Source { path: path.to_owned(), lines: text.lines().count(), functions, paths })
    }
}

/// Modules that only tests declare, integration tests and benchmarks.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

struct Visitor {
    functions: Vec<Function>,
    paths: BTreeSet<String>,
    in_tests: bool,
}

impl Visitor {
    fn function(&mut self, signature: &Signature, block: &Block) {
        let lines = block.span().end().line + 1 - signature.span().start().line;
        self.functions.push(Function { name: signature.ident.to_string(), lines });
    }

    fn within(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Visitor)) {
        let outer = self.in_tests;
        self.in_tests |= is_test_only(attributes);
        visit(self);
        self.in_tests = outer;
    }
}

impl<'a> Visit<'a> for Visitor {
    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.within(&item.attrs, |this| visit::visit_item_mod(this, item));
    }

    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.function(&item.sig, &item.block);
        self.within(&item.attrs, |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        self.function(&item.sig, &item.block);
        self.within(&item.attrs, |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'a TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !self.in_tests && !is_test_only(&item.attrs) {
            flatten(&item.tree, String::new(), &mut self.paths);
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        if !self.in_tests {
            let segments: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.paths.insert(segments.join("::"));
        }
        visit::visit_path(self, path);
    }
}

fn flatten(tree: &UseTree, prefix: String, paths: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => flatten(&path.tree, format!("{prefix}{}::", path.ident), paths),
        UseTree::Name(name) => drop(paths.insert(format!("{prefix}{}", name.ident))),
        UseTree::Rename(rename) => drop(paths.insert(format!("{prefix}{}", rename.ident))),
        UseTree::Glob(_) => drop(paths.insert(format!("{prefix}*"))),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix.clone(), paths);
            }
        }
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = attribute.path().segments.last().is_some_and(|last| last.ident == "test");
        let is_cfg_test = attribute.path().is_ident("cfg")
            && attribute.parse_args::<Path>().is_ok_and(|path| path.is_ident("test"));
        is_test || is_cfg_test
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::parse("crates/a/src/lib.rs", text).unwrap()
    }

    #[test]
    fn functions_are_measured_from_signature_to_closing_brace() {
        let text = "/// Doc.\n#[inline]\npub fn one() {\n    let s = \"}\";\n    // }\n}\n\
                    impl X { fn two(&self) -> u8 { 2 } }\ntrait T { fn none(); fn three() {\n} }";
        let found: Vec<(String, usize)> = source(text)
            .functions
            .into_iter()
            .map(|function| (function.name, function.lines))
            .collect();
        let expected = [("one", 4), ("two", 1), ("three", 2)];
        assert_eq!(found, expected.map(|(name, lines)| (name.to_owned(), lines)));
    }

    #[test]
    fn paths_are_those_of_production_code() {
        let text = "use std::{fs, net::{IpAddr, TcpStream as S}};\n\
                    fn a() { std::time::Instant::now(); }\n\
                    #[cfg(test)] use tokio::io;\n\
                    #[cfg(test)] mod tests { use tokio::net; fn b() { std::env::args(); } }\n\
                    #[test] fn c() { std::process::exit(1) }";
        let paths = source(text).paths;
        for expected in ["std::fs", "std::net::IpAddr", "std::net::TcpStream"] {
            assert!(paths.contains(expected), "{expected} in {paths:?}");
        }
        assert!(paths.contains("std::time::Instant::now"));
        assert!(!paths.iter().any(|path| path.contains("tokio") || path.contains("process")));
        assert!(!paths.contains("std::env::args"));
    }
}
