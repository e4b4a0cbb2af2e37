//! The words in which a statement is refused that no single node can answer.

use std::fmt::Write as _;

use herd_catalog::{Catalog, Table};
use herd_types::{ClientError, NodeId};

use super::{Need, Nodes, Whole};
use crate::Values;

const MESSAGE: &str = "this statement needs rows of several nodes, which Herd cannot combine";

/// Needs that are not all on one node.
pub(super) fn several_nodes(needs: &[Need], catalog: &Catalog, values: &Values<'_>) -> ClientError {
    for need in needs {
        match need {
            Need::Herd(beyond) => {
                let error = ClientError::unsupported(beyond.message.clone())
                    .with_detail(beyond.detail.clone());
                return match &beyond.hint {
                    Some(hint) => error.with_hint(hint.clone()),
                    None => error,
                };
            }
            Need::Whole(whole) if is_spread(whole, catalog) => return spread(whole, catalog),
            _ => {}
        }
    }
    let mut detail = String::new();
    for need in needs {
        let Ok(nodes) = need.nodes(catalog, values) else { continue };
        if nodes == Nodes::None {
            continue;
        }
        let separator = if detail.is_empty() { "" } else { "; " };
        let what = describe(need, catalog);
        let places = node_names(nodes.as_slice(), catalog);
        write!(detail, "{separator}{what} on {places}").expect("a String takes all writes");
    }
    detail.push('.');
    ClientError::unsupported(MESSAGE).with_detail(detail).with_hint(
        "Restrict the statement to keys that lie on one node, or split it into one for each.",
    )
}

fn is_spread(whole: &Whole, catalog: &Catalog) -> bool {
    catalog
        .table(whole.table)
        .and_then(|table| table.fragmentation())
        .is_some_and(|fragmentation| fragmentation.nodes().len() > 1)
}

/// A table on several nodes, of which nothing is known that would single one out.
fn spread(whole: &Whole, catalog: &Catalog) -> ClientError {
    let Some(table) = catalog.table(whole.table) else {
        return ClientError::unsupported(MESSAGE);
    };
    let detail = format!(
        "Table \"{}\" lies on {}, and {}.",
        whole.name,
        node_names(&catalog.nodes_of(table), catalog),
        whole.why
    );
    let error = ClientError::unsupported(MESSAGE).with_detail(detail);
    match &whole.hint {
        Some(hint) => error.with_hint(hint.clone()),
        None => error.with_hint(format!(
            "Add a condition on its key, such as \"{} = …\", that singles out one node.",
            key_columns(table)
        )),
    }
}

/// A need whose keys cannot be read for sure.
pub(super) fn unsure(need: &Need, why: &str) -> ClientError {
    let name = match need {
        Need::Keys(route) => &route.name,
        Need::Whole(whole) => &whole.name,
        Need::Home(_) | Need::Fragment(_) | Need::Herd(_) => "",
    };
    let message = format!("Herd cannot tell on which node the rows of \"{name}\" are");
    ClientError::unsupported(message)
        .with_detail(format!("Its key is given, but {why}."))
        .with_hint("Give the key as a plain value of the column's type, or cast it to that type.")
}

fn describe(need: &Need, catalog: &Catalog) -> String {
    match need {
        Need::Home(what) => format!("{what} is"),
        Need::Keys(route) => format!("the rows needed of \"{}\" are", route.name),
        Need::Whole(whole) => format!("\"{}\" is", whole.name),
        Need::Fragment(id) => {
            let name = catalog.fragment(*id).map_or("", |fragment| &fragment.name.name);
            format!("fragment \"{name}\" is")
        }
        Need::Herd(beyond) => beyond.message.to_string(),
    }
}

pub(crate) fn node_names(nodes: &[NodeId], catalog: &Catalog) -> String {
    let name = |id: &NodeId| match catalog.node(*id) {
        Some(node) => node.name.clone(),
        None => id.to_string(),
    };
    match nodes {
        [] => "no node".to_owned(),
        [one] => format!("node {}", name(one)),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(name).collect();
            format!("nodes {} and {}", first.join(", "), name(last))
        }
    }
}

/// `a`, or `(a, b)`.
pub(crate) fn key_columns(table: &Table) -> String {
    let key = table.fragmentation().map_or(&[][..], |fragmentation| fragmentation.key());
    let names: Vec<&str> = key.iter().map(|column| &*table.columns[column.column].name).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        names => format!("({})", names.join(", ")),
    }
}
