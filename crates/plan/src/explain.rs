//! EXPLAIN (HERD): where a statement goes, why, and the text that goes there.

use herd_catalog::Catalog;
use herd_types::{NodeId, TableId};

use crate::route::node_names;
use crate::{Action, Brought, Exchange, Forward, Place, Plan, Portion, Target, Values};

/// The lines of the answer. A statement that would be refused says why instead of where.
#[must_use]
pub fn explain(plan: &Plan, sql: &[u8], catalog: &Catalog, values: &Values<'_>) -> Vec<String> {
    let exchange = exchange(plan, catalog, values);
    // The literals of an EXPLAIN stand further behind than those of its statement.
    let scattered = exchange.and_then(|it| scattered(it, catalog, values, sql));
    let portions = portions(plan, catalog, values);
    let mut lines = match (&scattered, exchange) {
        _ if !portions.is_empty() => vec![dispatched(&portions, catalog)],
        (Some(scattered), _) => vec![scattered.headline.clone()],
        (None, Some(_)) => vec![format!("Exchange to home node {}", name(catalog, catalog.home()))],
        (None, None) => vec![headline(plan, catalog, values)],
    };
    lines.extend(plan.reasons.iter().map(|reason| format!("  reason: {reason}")));
    match scattered {
        Some(scattered) => lines.extend(scattered.details),
        None => {
            let query = exchange.map_or(sql, |exchange| exchange.split(sql).1);
            let brought = exchange.iter().flat_map(|exchange| &exchange.brought);
            lines.extend(brought.filter_map(|brought| brings(brought, query, catalog, values)));
        }
    }
    for portion in &portions {
        let text = String::from_utf8_lossy(&portion.reading.text);
        lines.push(format!("  tells {}: {}", name(catalog, portion.node), text.trim()));
    }
    lines.push(format!("  sql: {}", String::from_utf8_lossy(sql).trim()));
    lines
}

/// What each node is told, if no node can do all of it.
fn portions(plan: &Plan, catalog: &Catalog, values: &Values<'_>) -> Vec<Portion> {
    let Action::Forward(Forward { target, dispatch: Some(dispatch), .. }) = &plan.action else {
        return Vec::new();
    };
    match target.place(catalog, values) {
        Ok(_) => Vec::new(),
        Err(_) => dispatch.portions(catalog, values, None).unwrap_or_default(),
    }
}

fn dispatched(portions: &[Portion], catalog: &Catalog) -> String {
    let nodes: Vec<NodeId> = portions.iter().map(|portion| portion.node).collect();
    format!("Dispatch to {}, each its part", node_names(&nodes, catalog))
}

/// What is brought together, if no node can answer alone.
fn exchange<'p>(plan: &'p Plan, catalog: &Catalog, values: &Values<'_>) -> Option<&'p Exchange> {
    let Action::Forward(Forward { target, exchange: Some(exchange), .. }) = &plan.action else {
        return None;
    };
    target.place(catalog, values).is_err().then_some(exchange)
}

/// A query whose rows only have to be put together.
struct Scattered {
    headline: String,
    details: Vec<String>,
}

fn scattered(
    exchange: &Exchange,
    catalog: &Catalog,
    values: &Values<'_>,
    sql: &[u8],
) -> Option<Scattered> {
    let ([brought], Some(scatter)) = (exchange.brought.as_slice(), &exchange.scatter) else {
        return None;
    };
    let asked = scatter.asked(&Values { text: sql, ..*values })?;
    let nodes = node_names(&brought.nodes(catalog, values), catalog);
    let how = if scatter.is_ordered() { "merged in order" } else { "one after the other" };
    let mut details = vec![match scatter.is_ordered() {
        true => "  reason: each row of the result is one of the table, in an order that Herd can tell",
        false => "  reason: each row of the result is one of the table, in any order",
    }
    .to_owned()];
    details.push(format!("  asks {nodes}: {}", String::from_utf8_lossy(&asked.text).trim()));
    Some(Scattered { headline: format!("Scatter over {nodes}, {how}"), details })
}

fn brings(brought: &Brought, sql: &[u8], catalog: &Catalog, values: &Values<'_>) -> Option<String> {
    let reading = brought.reading(sql, catalog)?;
    let nodes = node_names(&brought.nodes(catalog, values), catalog);
    Some(format!("  brings from {nodes}: {}", String::from_utf8_lossy(&reading.text)))
}

fn headline(plan: &Plan, catalog: &Catalog, values: &Values<'_>) -> String {
    match &plan.action {
        Action::Forward(forward) => forwarded("Forward", &forward.target, catalog, values),
        Action::CopyOut(copy) => forwarded("Forward", &copy.target, catalog, values),
        Action::CopyIn(copy) => {
            format!("Copy to nodes {}, each row by its key", names(catalog, copy.table))
        }
        Action::CopyGather(copy) => {
            format!("Copy from nodes {}, one after the other", names(catalog, copy.table))
        }
        Action::Define(_) => "Define: one atomic step on every node that needs it".to_owned(),
        Action::Transaction(_) | Action::Setting(_) => "Session".to_owned(),
        Action::Prepared(_) => "Prepared statement of the session".to_owned(),
        Action::Show(_) | Action::Explain(_) | Action::Admin(_) => "Herd answers itself".to_owned(),
    }
}

fn forwarded(shape: &str, target: &Target, catalog: &Catalog, values: &Values<'_>) -> String {
    match target.place(catalog, values) {
        Ok(Place::Node(id)) => format!("{shape} to node {}", name(catalog, id)),
        Ok(Place::Home) => format!("{shape} to home node {}", name(catalog, catalog.home())),
        Ok(Place::Neutral | Place::Everywhere) => format!("{shape} to any node"),
        Ok(Place::Current) => format!("{shape} to the node of the transaction"),
        Err(error) => match error.detail {
            Some(detail) => format!("Refused: {} ({detail})", error.message),
            None => format!("Refused: {}", error.message),
        },
    }
}

fn names(catalog: &Catalog, table: TableId) -> String {
    let nodes = catalog.table(table).map(|table| catalog.nodes_of(table)).unwrap_or_default();
    let names: Vec<_> = nodes.into_iter().map(|id| name(catalog, id)).collect();
    names.join(", ")
}

fn name(catalog: &Catalog, id: NodeId) -> String {
    catalog.node(id).map_or_else(|| id.to_string(), |node| node.name.clone())
}
