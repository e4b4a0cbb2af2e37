//! Lists of relations in a statement, of which each node gets those that it has.

use std::ops::Range;

use herd_types::ClientError;

use super::definition::Script;
use super::facts::Stop;
use super::request::{Named, Request};
use super::splice::Splice;
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

/// A comma-separated list of names.
pub struct NameList<'a> {
    pub names: Vec<Name<'a>>,
    pub span: Range<usize>,
}

impl<'a> NameList<'a> {
    pub fn read(cursor: &mut Cursor<'a>) -> Option<NameList<'a>> {
        let first = cursor.name()?;
        let mut span = first.span.clone();
        let mut names = vec![first];
        while cursor.kind(Kind::Comma).is_some() {
            let name = cursor.name()?;
            span.end = name.span.end;
            names.push(name);
        }
        Some(NameList { names, span })
    }

    pub fn summary(&self) -> String {
        let names = self.names.iter().map(|name| match &name.schema {
            Some(schema) => format!("{schema}.{}", name.name),
            None => name.name.to_string(),
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// What the names mean; `anything`: they may be indexes and sequences, of which only the
    /// server knows whose they are.
    pub fn classify(
        &self,
        request: &Request<'_>,
        anything: bool,
    ) -> Result<Vec<(Range<usize>, Named)>, Stop> {
        if anything {
            request.ask_all(&self.names)?;
        } else {
            request.ask_known(&self.names)?;
        }
        let meaning = |name: &Name<'_>| {
            if anything { request.named(name) } else { request.table_named(name) }
        };
        self.names.iter().map(|name| Ok((name.span.clone(), meaning(name)?))).collect()
    }

    /// The statement for each node, with those of the names that the node has.
    pub fn split(
        &self,
        request: &Request<'_>,
        names: &[(Range<usize>, Named)],
        splice: &Splice<'_>,
    ) -> Result<Script, ClientError> {
        let mut script = Script::default();
        for node in request.all_nodes()? {
            let kept = names.iter().filter(|(_, named)| request.is_on(named, node));
            let kept = kept.map(|(span, _)| &request.sql[span.clone()]).collect::<Vec<_>>();
            if !kept.is_empty() {
                let mut splice = splice.clone();
                splice.replace(self.span.clone(), kept.join(", "));
                script.on(node, splice.render(request.span()));
            }
        }
        Ok(script)
    }
}
