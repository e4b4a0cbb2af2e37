//! The foreign keys of a new fragmented table: those that PostgreSQL cannot keep on the parent
//! are taken out of the statement, and put on each fragment.

use std::ops::Range;

use herd_catalog::{Fragmentation, TableName};

use super::cut::{Cut, primary_key};
use super::home::constraints;
use crate::ddl::Stop;
use crate::ddl::clauses::CreateTable;
use crate::ddl::definition::Script;
use crate::ddl::elements::{Constraint, ConstraintKind, Element, ForeignKey};
use crate::ddl::foreign_key::{self, Kept, Referring, Target};
use crate::ddl::request::Request;
use crate::ddl::splice::Splice;

pub struct ForeignKeys<'c> {
    by_fragment: Vec<ByFragment<'c>>,
    /// What is cut out of the statement, with a comma where there is one.
    cuts: Vec<Range<usize>>,
}

struct ByFragment<'c> {
    key: &'c ForeignKey<'c>,
    target: Target,
    name: String,
}

impl<'c> ForeignKeys<'c> {
    pub fn decide(
        request: &Request<'_>,
        create: &'c CreateTable<'c>,
        cut: &Cut,
        table: &TableName,
        placed: &Fragmentation,
    ) -> Result<ForeignKeys<'c>, Stop> {
        let key = cut.key.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
        let from = Referring {
            name: table,
            cut: Some(placed),
            key: &key,
            primary_key: primary_key(create),
        };
        let mut names =
            constraints(create).filter_map(|constraint| constraint.name.clone()).collect();
        let mut by_fragment = Vec::new();
        let mut moved = Vec::new();
        for constraint in constraints(create) {
            let ConstraintKind::ForeignKey(key) = &constraint.kind else {
                continue;
            };
            if let Kept::ByFragment(target) = foreign_key::decide(request, &from, key)? {
                let name = name_of(constraint, table, key, &mut names);
                by_fragment.push(ByFragment { key, target, name });
                moved.push(constraint.span.clone());
            }
        }
        Ok(ForeignKeys { by_fragment, cuts: cuts(create, &moved) })
    }

    pub fn cut(&self, splice: &mut Splice<'_>) {
        for span in &self.cuts {
            splice.cut(span.clone());
        }
    }

    pub fn add(&self, request: &Request<'_>, script: &mut Script, placed: &Fragmentation) {
        for each in &self.by_fragment {
            each.target.add(request, script, placed, each.key, &each.name);
        }
    }
}

fn name_of(
    constraint: &Constraint<'_>,
    table: &TableName,
    key: &ForeignKey<'_>,
    taken: &mut Vec<String>,
) -> String {
    let chosen = || foreign_key::choose_name(table, key, taken);
    let name = constraint.name.clone().unwrap_or_else(chosen);
    taken.push(name.clone());
    name
}

/// A constraint of a column is cut as it is, one of the table as an element of the list.
fn cuts(create: &CreateTable<'_>, moved: &[Range<usize>]) -> Vec<Range<usize>> {
    let elements = create.elements();
    let mut cuts = Vec::new();
    let mut keeps_any = false;
    for (n, (span, element)) in elements.iter().enumerate() {
        match element {
            Element::Constraint(constraint) if moved.contains(&constraint.span) => {
                let previous = n.checked_sub(1).and_then(|previous| elements.get(previous));
                cuts.push(match (keeps_any, previous, elements.get(n + 1)) {
                    (true, Some((previous, _)), _) => previous.end..span.end,
                    (_, _, Some((next, _))) => span.start..next.start,
                    _ => span.clone(),
                });
            }
            Element::Column(column) => {
                let own = column.constraints.iter().map(|constraint| &constraint.span);
                cuts.extend(own.filter(|span| moved.contains(span)).cloned());
                keeps_any = true;
            }
            _ => keeps_any = true,
        }
    }
    cuts
}
