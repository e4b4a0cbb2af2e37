//! Rows find the fragment in which the server's own partitioned table puts them.

use std::fmt::Write;

use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KeyValue, KindSpec, Limit, Method,
    Node, NodeRole, NodeStatus, NodeWish, Table, TableName, TableSpec,
};
use herd_types::NodeId;

use crate::inputs::{self, KEY_TYPES};
use crate::server::{literal, run};

const ROWS: usize = 400;

#[test]
fn hash_of_every_key_type() {
    for key_type in KEY_TYPES {
        let name = format!("hash_of_{key_type:?}").to_lowercase();
        check(&name, Method::Hash, &[key_type.as_str()], &hash_bounds(7));
    }
}

#[test]
fn hash_of_several_columns_with_nulls() {
    let bounds = hash_bounds(5);
    check("hash_two", Method::Hash, &["bigint", "text"], &bounds);
    check("hash_four", Method::Hash, &["uuid", "numeric(12,3)", "date", "character(9)"], &bounds);
}

#[test]
fn hash_with_different_moduli() {
    let bounds = [(2, 0), (4, 1), (12, 3), (12, 7)]
        .map(|(modulus, remainder)| Bound::Hash { modulus, remainder });
    check("hash_moduli", Method::Hash, &["bigint"], &bounds);
}

#[test]
fn list_with_null_and_default() {
    let values = |texts: &[Option<&str>]| Bound::List {
        values: texts.iter().map(|text| text.map(str::to_owned)).collect(),
    };
    let bounds = [values(&[Some("t"), None]), Bound::Default];
    check("list_bool", Method::List, &["boolean"], &bounds);
    let bounds = [values(&[Some("1.0"), Some("7")]), values(&[Some("2.50"), None])];
    check("list_numeric", Method::List, &["numeric"], &bounds);
    let bounds = [values(&[Some("aZ")]), values(&[Some(""), Some("0")]), Bound::Default];
    check("list_text", Method::List, &["text"], &bounds);
}

#[test]
fn ranges_of_one_and_of_several_columns() {
    let limit = |text: &str| match text {
        "min" => Limit::MinValue,
        "max" => Limit::MaxValue,
        text => Limit::Value(text.to_owned()),
    };
    let range = |from: &[&str], to: &[&str]| Bound::Range {
        from: from.iter().map(|text| limit(text)).collect(),
        to: to.iter().map(|text| limit(text)).collect(),
    };
    let bounds = [range(&["0"], &["max"]), range(&["-10"], &["0"]), range(&["-1000"], &["-100"])];
    check("range_int", Method::Range, &["integer"], &bounds);
    let bounds = [
        range(&["min", "min"], &["2000-01-01", "aa"]),
        range(&["2000-01-01", "aa"], &["2000-01-01", "max"]),
        range(&["2020-01-01", "min"], &["2030-01-01", "min"]),
        Bound::Default,
    ];
    check("range_two", Method::Range, &["date", "text"], &bounds);
    let bounds = [range(&["-5.5"], &["1e3"]), range(&["1e3"], &["max"]), Bound::Default];
    check("range_numeric", Method::Range, &["numeric(20,4)"], &bounds);
    let bounds = [range(&["\\x00"], &["\\x80"]), range(&["\\x80"], &["\\xffff"])];
    check("range_bytea", Method::Range, &["bytea"], &bounds);
}

/// Inserts rows into a table of the server, and looks for the same rows in a catalog.
fn check(name: &str, method: Method, types: &[&str], bounds: &[Bound]) {
    let catalog = catalog_of(name, method, types, bounds);
    let table = catalog.table_named(&TableName::new("public", name)).expect("it was added");
    create(name, method, types, bounds, table);
    let rows = rows(table);
    let mut sql = format!("create temp table given (at int, {});\n", columns(types));
    for (at, (texts, _)) in rows.iter().enumerate() {
        writeln!(sql, "insert into given values ({at}, {});", list(texts)).expect("a String");
    }
    let key = key_names(types).join(", ");
    // Rows without a partition are reported by an empty name.
    writeln!(
        sql,
        "create function pg_temp.put(g given) returns text language plpgsql as $$
         declare result text;
         begin
           insert into {name}({key}) select {} returning tableoid::regclass::text into result;
           return result;
         exception when check_violation then return '';
         end $$;
         select pg_temp.put(g) from given g order by at;",
        key_names(types).iter().map(|key| format!("g.{key}")).collect::<Vec<_>>().join(", ")
    )
    .expect("a String");
    let answer = run(&sql);
    let places: Vec<&str> = answer.lines().collect();
    assert_eq!(places.len(), rows.len());
    let fragmentation = table.fragmentation().expect("it is fragmented");
    for (place, (texts, key)) in places.iter().zip(&rows) {
        let found = fragmentation.fragment_for(key).map_or("", |each| each.name.name.as_str());
        assert_eq!(found, *place, "{name} {texts:?}");
    }
}

fn catalog_of(name: &str, method: Method, types: &[&str], bounds: &[Bound]) -> Catalog {
    let node = Node {
        id: NodeId(1),
        name: "n1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: "dc1".to_owned(),
        zone: "a".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    let columns = key_names(types).into_iter().zip(types).map(|(name, type_name)| Column {
        name,
        type_name: (*type_name).to_owned(),
        generated: false,
        has_default: false,
    });
    let fragments = bounds.iter().enumerate().map(|(index, bound)| FragmentSpec {
        name: TableName::new("public", format!("{name}_{index}")),
        bound: bound.clone(),
        node: NodeWish::Any,
    });
    let spec = TableSpec {
        name: TableName::new("public", name),
        columns: columns.collect(),
        kind: KindSpec::Fragmented {
            method,
            key: key_names(types),
            fragments: fragments.collect(),
            family: FamilyWish::Alike,
        },
    };
    Catalog::new(NodeId(1), [node]).apply(&Change::AddTable(spec)).expect("the bounds are good")
}

/// The partitions are made from the bounds as the catalog spells them.
fn create(name: &str, method: Method, types: &[&str], bounds: &[Bound], table: &Table) {
    let key = key_names(types).join(", ");
    let mut sql = format!(
        "create table {name} ({}) partition by {} ({key});\n",
        columns(types),
        method.as_str()
    );
    let fragments = table.fragmentation().expect("it is fragmented").fragments();
    assert_eq!(fragments.len(), bounds.len());
    for fragment in fragments {
        let values = match &fragment.bound {
            Bound::Hash { modulus, remainder } => {
                format!("for values with (modulus {modulus}, remainder {remainder})")
            }
            Bound::List { values } => format!("for values in ({})", list(values)),
            Bound::Range { from, to } => {
                format!("for values from ({}) to ({})", limits(from), limits(to))
            }
            Bound::Default => "default".to_owned(),
        };
        writeln!(sql, "create table {} partition of {name} {values};", fragment.name.name)
            .expect("a String");
    }
    let _ = run(&sql);
}

type Row = (Vec<Option<String>>, Vec<Option<KeyValue>>);

/// Random keys as text, and as the columns store them.
fn rows(table: &Table) -> Vec<Row> {
    let key = table.fragmentation().expect("it is fragmented").key();
    let mut rng = inputs::random();
    let mut rows = Vec::new();
    while rows.len() < ROWS {
        let mut texts = Vec::new();
        let mut values = Vec::new();
        for (index, column) in key.iter().enumerate() {
            if (rows.len() + index) % 9 == 0 {
                texts.push(None);
                values.push(None);
                continue;
            }
            let text = inputs::sample(column.key_type, &mut rng);
            let value = column.key_type.from_text(text.as_bytes());
            if let Ok(stored) = value.and_then(|value| column.store(value)) {
                texts.push(Some(text));
                values.push(Some(stored));
            }
        }
        if values.len() == key.len() {
            rows.push((texts, values));
        }
    }
    rows
}

fn hash_bounds(modulus: u32) -> Vec<Bound> {
    (0..modulus).map(|remainder| Bound::Hash { modulus, remainder }).collect()
}

fn key_names(types: &[&str]) -> Vec<String> {
    (0..types.len()).map(|index| format!("k{index}")).collect()
}

fn columns(types: &[&str]) -> String {
    let columns = key_names(types).into_iter().zip(types);
    columns.map(|(name, type_name)| format!("{name} {type_name}")).collect::<Vec<_>>().join(", ")
}

fn list(texts: &[Option<String>]) -> String {
    let literals = texts.iter().map(|text| text.as_deref().map_or("null".to_owned(), literal));
    literals.collect::<Vec<_>>().join(", ")
}

fn limits(limits: &[Limit]) -> String {
    let limits = limits.iter().map(|limit| match limit {
        Limit::MinValue => "minvalue".to_owned(),
        Limit::MaxValue => "maxvalue".to_owned(),
        Limit::Value(text) => literal(text),
    });
    limits.collect::<Vec<_>>().join(", ")
}
