//! The names that a text uses in ways that may run code.

use std::collections::BTreeSet;

use herd_catalog::Resolved;

use crate::Context;
use crate::lex::{Kind, Token};

const WRITES: [&str; 6] = ["insert", "update", "delete", "merge", "truncate", "copy"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// Names before a parenthesis, and after a dot: `row.name` may call `name(row)`.
    pub(crate) called: BTreeSet<String>,
    /// All names, of relations and types among them.
    pub(crate) named: BTreeSet<String>,
    pub(crate) operators: BTreeSet<String>,
    pub(crate) writes: bool,
    /// Other names are not known before it runs.
    pub(crate) computes_names: bool,
}

impl Mentions {
    pub(crate) fn of(sql: &[u8], tokens: &[Token]) -> Mentions {
        let mut mentions = Mentions::default();
        for (n, token) in tokens.iter().enumerate() {
            let before = n.checked_sub(1).map(|before| tokens[before]);
            if token.kind == Kind::Operator {
                mentions.operators.insert(String::from_utf8_lossy(token.text(sql)).into_owned());
            }
            let Some(name) = token.identifier(sql) else { continue };
            let is_called = tokens.get(n + 1).is_some_and(|next| next.kind == Kind::LeftParen);
            if is_called || before.is_some_and(|before| before.kind == Kind::Dot) {
                mentions.called.insert(name.as_ref().to_owned());
            }
            let locks = before.is_some_and(|before| before.is_word(sql, "for"));
            mentions.writes |= !locks && WRITES.iter().any(|word| token.is_word(sql, word));
            mentions.named.insert(name.into_owned());
        }
        mentions
    }

    /// Of a definition, which names functions without calling them.
    pub(crate) fn of_definition(sql: &[u8], tokens: &[Token]) -> Mentions {
        let mentions = Mentions::of(sql, tokens);
        Mentions { called: mentions.named.clone(), writes: true, ..mentions }
    }

    /// `UPDATE pg_settings` sets what it updates.
    pub(crate) fn changes_settings(&self) -> bool {
        self.writes && self.named.contains("pg_settings")
    }

    pub(crate) fn add(&mut self, mut other: Mentions) {
        self.called.append(&mut other.called);
        self.named.append(&mut other.named);
        self.operators.append(&mut other.operators);
        self.writes |= other.writes;
        self.computes_names |= other.computes_names;
    }

    /// A fragment runs what its table runs, and need not lie where that was asked.
    pub(super) fn add_tables_of_fragments(&mut self, context: &Context<'_>) {
        let table_of =
            |name: &String| match context.catalog.resolve(context.search_path, None, name) {
                Resolved::Fragment(table) => Some(table.name.name.clone()),
                Resolved::Logical(_) | Resolved::Home => None,
            };
        let tables: Vec<String> = self.named.iter().filter_map(table_of).collect();
        self.named.extend(tables);
    }
}
