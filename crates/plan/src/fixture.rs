//! A small herd for tests: three nodes, `users` in four fragments by hash of `id`, and the
//! reference table `country`.

use std::fmt::Write as _;
use std::sync::Arc;

use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_types::{ClientError, NodeId};

use crate::{Action, Context, Plan, Planner, Prepare, PreparedCommand, Query, Unclear, Understood};

pub(crate) fn catalog() -> Arc<Catalog> {
    let empty = Catalog::new(NodeId(1), (1..=3).map(node));
    let changes = [users(), country()];
    Arc::new(changes.iter().fold(empty, |catalog, change| catalog.apply(change).unwrap()))
}

/// The meaning of a text that is one statement.
pub(crate) fn understood(sql: &str, catalog: &Arc<Catalog>) -> Understood {
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        routines: crate::Routines::none(),
        catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    match Planner::new(1 << 20).understand(sql.as_bytes(), &context) {
        Ok(Query::One(understood)) => understood,
        other => panic!("{sql}: {other:?}"),
    }
}

/// The meaning of a query string, line by line.
pub(crate) fn describe(sql: &str) -> String {
    let catalog = catalog();
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        routines: crate::Routines::none(),
        catalog: &catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    match Planner::new(1 << 20).understand(sql.as_bytes(), &context) {
        Ok(Query::Empty) => "empty\n".to_owned(),
        Ok(Query::One(understood)) => understanding(sql, &understood),
        Ok(Query::Several(parts)) => {
            let mut text = String::new();
            for part in parts {
                let sql = &sql[part.span];
                writeln!(text, "{sql}").unwrap();
                let meaning = match part.understood {
                    Ok(understood) => understanding(sql, &understood),
                    Err(Unclear::Depends) => "depends on those before it\n".to_owned(),
                    Err(Unclear::Refused(error)) => refusal(&error),
                };
                write!(text, "  {meaning}").unwrap();
            }
            text
        }
        Err(error) => refusal(&error),
    }
}

fn understanding(sql: &str, understood: &Understood) -> String {
    let mut text = describe_plan(&understood.plan);
    let slots: Vec<&str> = understood.slots.iter().map(|slot| &sql[slot.span()]).collect();
    if !slots.is_empty() {
        write!(text, ", slots {}", slots.join(" ")).unwrap();
    }
    text.push('\n');
    text
}

fn describe_plan(plan: &Plan) -> String {
    let mut text = match &plan.action {
        Action::Forward(forward) if forward.inline.is_empty() => format!("{:?}", forward.target),
        Action::Prepared(PreparedCommand::Prepare(Prepare {
            name,
            name_span,
            parameter_types,
            body,
        })) => {
            let body = describe_plan(body);
            format!("prepare {name} at {name_span:?} {parameter_types:?} as ({body})")
        }
        Action::Explain(explain) => {
            format!("explain {:?} ({})", explain.statement, describe_plan(&explain.plan))
        }
        action => format!("{action:?}"),
    };
    if let Some(reason) = &plan.effects.pin {
        write!(text, ", pins for {}", reason.as_str()).unwrap();
    }
    if plan.effects.probes_settings {
        text.push_str(", probes settings");
    }
    text
}

fn refusal(error: &ClientError) -> String {
    match error.position {
        Some(position) => format!("{error} at {position}\n"),
        None => format!("{error}\n"),
    }
}

fn node(id: u16) -> Node {
    Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: "a".to_owned(),
        zone: "z".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    }
}

fn users() -> Change {
    let fragment = |remainder| FragmentSpec {
        name: TableName::new("public", format!("users_{remainder}")),
        bound: Bound::Hash { modulus: 4, remainder },
        node: NodeWish::Any,
    };
    Change::AddTable(TableSpec {
        name: TableName::new("public", "users"),
        columns: vec![column("id", "bigint"), column("name", "text")],
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["id".to_owned()],
            fragments: (0..4).map(fragment).collect(),
            family: FamilyWish::Alike,
        },
    })
}

fn country() -> Change {
    Change::AddTable(TableSpec {
        name: TableName::new("public", "country"),
        columns: vec![column("code", "text")],
        kind: KindSpec::Reference,
    })
}

fn column(name: &str, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        generated: false,
        has_default: false,
    }
}
