//! The herd of these tests: three nodes, n1 being home, and tables of each kind.

use std::fmt::Write as _;
use std::sync::Arc;

use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Limit, Method, Node,
    NodeRole, NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_types::{ClientError, NodeId};

use crate::{Action, Context, Parameter, Parameters, Place, Planner, Query, Understood, Values};

/// Text values of `$1`, …, of types that the server infers.
pub(super) struct Texts<'a>(pub(super) &'a [Option<&'a str>]);

impl Parameters for Texts<'_> {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let value = self.0.get(index)?.map(str::as_bytes);
        Some(Parameter { type_oid: 0, binary: false, value })
    }
}

/// Where a statement goes, and why; or the words in which it is refused.
pub(super) fn explain(sql: &str, parameters: &[Option<&str>]) -> String {
    explain_in(&herd(), "herd", sql, &Texts(parameters))
}

pub(super) fn explain_in(
    catalog: &Arc<Catalog>,
    role: &str,
    sql: &str,
    parameters: &dyn Parameters,
) -> String {
    let search_path = SearchPath::default_for(role);
    let context = Context {
        routines: crate::Routines::none(),
        catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    let understood = match Planner::new(1 << 20).understand(sql.as_bytes(), &context) {
        Ok(Query::One(understood)) => understood,
        Ok(other) => return format!("{other:?}\n"),
        Err(error) => return refusal(&error),
    };
    let Action::Forward(forward) = &understood.plan.action else {
        return format!("{:?}\n", understood.plan.action);
    };
    let Understood { plan, slots } = &understood;
    let values = Values { text: sql.as_bytes(), slots, parameters };
    let place = match forward.target.place(catalog, &values) {
        Ok(Place::Node(node)) => catalog.node(node).unwrap().name.clone(),
        Ok(place) => format!("{place:?}").to_lowercase(),
        Err(error) => return refusal(&error),
    };
    let mut text = format!("{place}\n");
    for reason in &plan.reasons {
        writeln!(text, "  {reason}").unwrap();
    }
    text
}

fn refusal(error: &ClientError) -> String {
    let mut text = format!("{error}");
    if let Some(position) = error.position {
        write!(text, " (at {position})").unwrap();
    }
    for line in [&error.detail, &error.hint].into_iter().flatten() {
        write!(text, "\n  {line}").unwrap();
    }
    text.push('\n');
    text
}

/// | table | key | where |
/// |---|---|---|
/// | users, orders | id, user_id bigint, 4 by hash | n1, n2, n3, n1 |
/// | articles | id integer, 3 by hash | n1, n2, n3 |
/// | pairs | (a bigint, b text), 3 by hash | n1, n2, n3 |
/// | names | name varchar(10), 3 by hash | n1, n2, n3 |
/// | serials | id bigint with a default, 3 by hash | n1, n2, n3 |
/// | days | day date, by range: before 2024, 2024, later | n1, n2, n3 |
/// | ranks | granularity text, by list: daily, others | n2, n3 |
/// | solo | id bigint, 2 by hash | n2 |
/// | country, ages | reference | |
pub(super) fn herd() -> Arc<Catalog> {
    let empty = Catalog::new(NodeId(1), (1..=3).map(node));
    let changes = [
        hashed(
            "users",
            &["id bigint", "name text", "country text", "age integer"],
            &["id"],
            &[1, 2, 3, 1],
        ),
        hashed(
            "orders",
            &["user_id bigint", "id bigint", "total numeric", "note text"],
            &["user_id"],
            &[1, 2, 3, 1],
        ),
        hashed("articles", &["id integer", "author bigint", "title text"], &["id"], &[1, 2, 3]),
        hashed("pairs", &["a bigint", "b text", "c integer"], &["a", "b"], &[1, 2, 3]),
        hashed("names", &["name character varying(10)", "n integer"], &["name"], &[1, 2, 3]),
        hashed("serials", &["id bigint default", "v text"], &["id"], &[1, 2, 3]),
        ranged(),
        listed(),
        hashed("solo", &["id bigint", "v text"], &["id"], &[2, 2]),
        Change::AddTable(TableSpec {
            name: TableName::new("public", "country"),
            columns: columns(&["code text", "name text"]),
            kind: KindSpec::Reference,
        }),
        Change::AddTable(TableSpec {
            name: TableName::new("public", "ages"),
            columns: columns(&["age integer", "word text"]),
            kind: KindSpec::Reference,
        }),
    ];
    Arc::new(changes.iter().fold(empty, |catalog, change| catalog.apply(change).unwrap()))
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

/// `name type [default]`
fn columns(definitions: &[&str]) -> Vec<Column> {
    let column = |definition: &&str| {
        let (name, rest) = definition.split_once(' ').unwrap();
        let (type_name, has_default) = match rest.strip_suffix(" default") {
            Some(type_name) => (type_name, true),
            None => (rest, false),
        };
        Column {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            generated: false,
            has_default,
        }
    };
    definitions.iter().map(column).collect()
}

fn fragmented(
    name: &str,
    definitions: &[&str],
    method: Method,
    key: &[&str],
    fragments: Vec<FragmentSpec>,
) -> Change {
    Change::AddTable(TableSpec {
        name: TableName::new("public", name),
        columns: columns(definitions),
        kind: KindSpec::Fragmented {
            method,
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            fragments,
            family: FamilyWish::Alike,
        },
    })
}

fn hashed(name: &str, definitions: &[&str], key: &[&str], nodes: &[u16]) -> Change {
    let modulus = u32::try_from(nodes.len()).unwrap();
    let fragment = |(remainder, node): (u32, &u16)| FragmentSpec {
        name: TableName::new("public", format!("{name}_{remainder}")),
        bound: Bound::Hash { modulus, remainder },
        node: NodeWish::Node(NodeId(*node)),
    };
    let fragments = (0..modulus).zip(nodes).map(fragment).collect();
    fragmented(name, definitions, Method::Hash, key, fragments)
}

fn ranged() -> Change {
    let limit = |day: &str| match day {
        "min" => Limit::MinValue,
        "max" => Limit::MaxValue,
        day => Limit::Value(day.to_owned()),
    };
    let fragment = |(name, from, to, node): (&str, &str, &str, u16)| FragmentSpec {
        name: TableName::new("public", name),
        bound: Bound::Range { from: vec![limit(from)], to: vec![limit(to)] },
        node: NodeWish::Node(NodeId(node)),
    };
    let fragments = [
        ("days_old", "min", "2024-01-01", 1),
        ("days_2024", "2024-01-01", "2025-01-01", 2),
        ("days_new", "2025-01-01", "max", 3),
    ];
    let fragments = fragments.into_iter().map(fragment).collect();
    fragmented("days", &["day date", "v integer"], Method::Range, &["day"], fragments)
}

fn listed() -> Change {
    let fragment = |name: &str, bound, node| FragmentSpec {
        name: TableName::new("public", name),
        bound,
        node: NodeWish::Node(NodeId(node)),
    };
    let daily = Bound::List { values: vec![Some("daily".to_owned())] };
    let others =
        Bound::List { values: vec![Some("weekly".to_owned()), Some("monthly".to_owned()), None] };
    let fragments = vec![fragment("ranks_daily", daily, 2), fragment("ranks_others", others, 3)];
    let definitions = ["granularity text", "day date", "aids bigint[]"];
    fragmented("ranks", &definitions, Method::List, &["granularity"], fragments)
}
