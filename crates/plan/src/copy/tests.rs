//! What a COPY is understood to be. That the rows are then found as PostgreSQL finds them is
//! tested with the splitting itself.

use std::sync::Arc;

use expect_test::{Expect, expect};
use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_types::{ClientError, NodeId};

use super::{CopyFormat, CopyIn, OnError, Spread};
use crate::{Action, Context, NoParameters, Planner, Query, Slots, Values};

/// Three nodes; `t` on all of them, `one` with all its fragments on the second, `r` a reference
/// table. Columns: `id` generated, `k` the key, `v` with a default.
fn catalog() -> Catalog {
    let node = |id: u16| Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".into(),
        port: 5432,
        dc: "a".into(),
        zone: "z".into(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    let fragmented = |name: &str, node: NodeWish| {
        let fragment = |remainder| FragmentSpec {
            name: TableName::new("public", format!("{name}_{remainder}")),
            bound: Bound::Hash { modulus: 3, remainder },
            node: node.clone(),
        };
        KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["k".into()],
            fragments: (0..3).map(fragment).collect(),
            family: FamilyWish::Named(name.into()),
        }
    };
    let table = |name: &str, kind: KindSpec| {
        Change::AddTable(TableSpec {
            name: TableName::new("public", name),
            columns: vec![
                column("id", "bigint", true, false),
                column("k", "bigint", false, false),
                column("v", "text", false, true),
            ],
            kind,
        })
    };
    let changes = [
        table("t", fragmented("t", NodeWish::Any)),
        table("one", fragmented("one", NodeWish::Node(NodeId(2)))),
        table("r", KindSpec::Reference),
    ];
    Catalog::new(NodeId(1), (1..=3).map(node)).apply_all(&changes).expect("valid tables")
}

fn column(name: &str, type_name: &str, generated: bool, has_default: bool) -> Column {
    Column { name: name.into(), type_name: type_name.into(), generated, has_default }
}

fn understand(sql: &str) -> Result<Action, ClientError> {
    let catalog = Arc::new(catalog());
    let search_path = SearchPath::new(["public".to_owned()]);
    let context = Context {
        routines: crate::Routines::none(),
        catalog: &catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    match Planner::new(1 << 20).understand(sql.as_bytes(), &context)? {
        Query::One(understood) => Ok(understood.plan.action.clone()),
        other => panic!("{sql}: {other:?}"),
    }
}

fn check(sql: &str, expected: Expect) {
    let found = match understand(sql) {
        Ok(Action::Forward(forward)) => {
            let slots = Slots::default();
            let values = Values { text: sql.as_bytes(), slots: &slots, parameters: &NoParameters };
            match forward.target.place(&catalog(), &values) {
                Ok(place) => format!("{place:?}"),
                Err(error) => error.to_string(),
            }
        }
        Ok(Action::CopyOut(out)) => {
            format!("{:?}: {}", out.target, String::from_utf8_lossy(&out.text))
        }
        Ok(Action::CopyGather(gather)) => {
            format!("{:?}: {}", gather.envelope, String::from_utf8_lossy(&gather.text))
        }
        Ok(Action::CopyIn(copy)) => describe(&copy),
        Ok(other) => format!("{other:?}"),
        Err(error) => match error.position {
            Some(position) => format!("{error} at {position}"),
            None => error.to_string(),
        },
    };
    expected.assert_eq(&found);
}

fn describe(copy: &CopyIn) -> String {
    let mut parts = vec![format!("fields {:?}", copy.columns)];
    parts.push(match &copy.spread {
        Spread::Everywhere => "everywhere".into(),
        Spread::ByKey(key) => format!("by {key:?}"),
    });
    parts.push(match &copy.format {
        CopyFormat::Text(text) => format!(
            "text delimiter {:?} null {:?} default {:?} header {}",
            char::from(text.delimiter),
            String::from_utf8_lossy(&text.null),
            text.default.as_deref().map(String::from_utf8_lossy),
            text.header,
        ),
        CopyFormat::Csv(csv) => format!(
            "csv delimiter {:?} quote {:?} escape {:?} null {:?} header {} force {:?} not {:?}",
            char::from(csv.delimiter),
            char::from(csv.quote),
            char::from(csv.escape),
            String::from_utf8_lossy(&csv.null),
            csv.header,
            csv.force_null,
            csv.force_not_null,
        ),
        CopyFormat::Binary => "binary".into(),
    });
    parts.extend(copy.encoding.clone());
    if copy.on_error != OnError::Stop {
        parts.push(format!("{:?}", copy.on_error));
    }
    parts.join("; ")
}

#[test]
fn a_home_table_is_left_to_the_server() {
    for sql in [
        "COPY elsewhere FROM STDIN",
        "copy other.t to stdout (format json, whatever)",
        "COPY elsewhere FROM '/tmp/x'",
        "COPY elsewhere TO PROGRAM 'cat' CSV",
    ] {
        check(sql, expect!["Home"]);
    }
}

#[test]
fn rows_are_spread_by_their_key() {
    check(
        "COPY t FROM STDIN",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; text delimiter '\t' null "\\N" default None header false"#
        ]],
    );
    check(
        r#"copy public."t" (v, "k") from stdin"#,
        expect![[
            r#"fields [2, 1]; by [Some(1)]; text delimiter '\t' null "\\N" default None header false"#
        ]],
    );
    check(
        "COPY t (v) FROM STDIN WHERE v <> 'x'",
        expect![[
            r#"fields [2]; by [None]; text delimiter '\t' null "\\N" default None header false"#
        ]],
    );
}

#[test]
fn options_of_every_age_are_read() {
    check(
        "COPY t FROM STDIN WITH (FORMAT csv, DELIMITER '|', QUOTE '''', ESCAPE '\\', NULL 'x', \
         HEADER match, FORCE_NULL (k), FORCE_NOT_NULL *, ENCODING 'latin1', FREEZE false)",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; csv delimiter '|' quote '\'' escape '\\' null "x" header true force [0] not [0, 1]; latin1"#
        ]],
    );
    check(
        "COPY t FROM STDIN DELIMITER AS ';' NULL 'x' CSV HEADER QUOTE '!' FORCE NOT NULL v, k \
         FORCE NULL v ENCODING 'UTF8'",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; csv delimiter ';' quote '!' escape '!' null "x" header true force [1] not [1, 0]; UTF8"#
        ]],
    );
    check("COPY BINARY t FROM STDIN", expect!["fields [1, 2]; by [Some(0)]; binary"]);
    check(
        "COPY t FROM STDIN USING DELIMITERS '|' WITH NULL AS ''",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; text delimiter '|' null "" default None header false"#
        ]],
    );
    check(
        "COPY t FROM STDIN (ON_ERROR ignore, REJECT_LIMIT 3, LOG_VERBOSITY verbose, DEFAULT '\\D', HEADER 1)",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; text delimiter '\t' null "\\N" default Some("\\D") header true; Ignore { reject_limit: Some(3) }"#
        ]],
    );
    check(
        "COPY t FROM STDOUT (FORMAT 'text', HEADER off)",
        expect![[
            r#"fields [1, 2]; by [Some(0)]; text delimiter '\t' null "\\N" default None header false"#
        ]],
    );
}

#[test]
fn what_rows_cannot_be_found_with_is_refused_in_the_servers_words() {
    check(
        "COPY t FROM STDIN (FORMAT xml)",
        expect![[r#"22023: COPY format "xml" not recognized"#]],
    );
    check(
        "COPY t FROM STDIN (SPEED 9)",
        expect![[r#"42601: option "speed" not recognized at 20"#]],
    );
    check(
        "COPY t FROM STDIN (NULL 'x', NULL 'y')",
        expect!["42601: conflicting or redundant options at 30"],
    );
    check(
        "COPY t FROM STDIN (DELIMITER 'ab')",
        expect!["0A000: COPY delimiter must be a single one-byte character"],
    );
    check("COPY t FROM STDIN (DELIMITER 'a')", expect![[r#"22023: COPY delimiter cannot be "a""#]]);
    check(
        "COPY t FROM STDIN (FORMAT csv, QUOTE E'\\n')",
        expect!["22023: COPY quote cannot be newline or carriage return"],
    );
    check("COPY t FROM STDIN (HEADER maybe)", expect!["42601: header requires a Boolean value"]);
    check(
        "COPY t FROM STDIN (HEADER true",
        expect![[r#"42601: syntax error at or near "(" at 19"#]],
    );
    check(
        "COPY t FROM STDIN CSV LOUD",
        expect![[r#"42601: syntax error at or near "LOUD" at 23"#]],
    );
    check("COPY t STDIN", expect![[r#"42601: syntax error at or near "STDIN" at 8"#]]);
}

#[test]
fn columns_are_checked_as_the_server_checks_them() {
    check(
        "COPY t (k, x) FROM STDIN",
        expect![[r#"42703: column "x" of relation "t" does not exist"#]],
    );
    check("COPY t (k, k) FROM STDIN", expect![[r#"42701: column "k" specified more than once"#]]);
    check("COPY t (k, id) FROM STDIN", expect![[r#"42P10: column "id" is a generated column"#]]);
}

#[test]
fn a_table_on_one_node_goes_there() {
    check("COPY one FROM STDIN (FORMAT csv)", expect!["Node(NodeId(2))"]);
    check(
        "COPY one TO STDOUT WITH CSV HEADER",
        expect![[
            r#"Node(NodeId(2)): COPY (SELECT "k", "v" FROM "public"."one") TO STDOUT WITH CSV HEADER"#
        ]],
    );
    check(
        "COPY one (v) TO STDOUT;",
        expect![[r#"Node(NodeId(2)): COPY (SELECT "v" FROM "public"."one") TO STDOUT "#]],
    );
    check(
        "COPY BINARY one TO STDOUT",
        expect!["0A000: COPY BINARY and DELIMITERS are not supported for fragmented tables"],
    );
}

#[test]
fn a_table_on_several_nodes_is_asked_of_each() {
    check(
        "COPY t TO STDOUT",
        expect![[r#"None: COPY (SELECT "k", "v" FROM "public"."t") TO STDOUT "#]],
    );
    check(
        "copy t (v, k) to stdout csv header force quote v",
        expect![[
            r#"HeaderLine: COPY (SELECT "v", "k" FROM "public"."t") TO STDOUT csv header force quote v"#
        ]],
    );
    check(
        "COPY t TO STDOUT (HEADER off, NULL 'x')",
        expect![[
            r#"None: COPY (SELECT "k", "v" FROM "public"."t") TO STDOUT (HEADER off, NULL 'x')"#
        ]],
    );
    check(
        "COPY public.t TO STDOUT WITH (FORMAT binary)",
        expect![[
            r#"Binary: COPY (SELECT "k", "v" FROM "public"."t") TO STDOUT WITH (FORMAT binary)"#
        ]],
    );
    check("COPY t TO STDOUT (FORMAT xml)", expect![[r#"22023: COPY format "xml" not recognized"#]]);
    check(
        "COPY BINARY t TO STDOUT",
        expect!["0A000: COPY BINARY and DELIMITERS are not supported for fragmented tables"],
    );
    check(
        "COPY t TO '/tmp/x'",
        expect!["0A000: COPY with a file or program of the server needs a table of the home node"],
    );
}

#[test]
fn a_reference_table_must_become_the_same_everywhere() {
    check("COPY r TO STDOUT", expect!["Everywhere"]);
    check(
        "COPY r FROM STDIN CSV",
        expect![[
            r#"fields [1, 2]; everywhere; csv delimiter ',' quote '"' escape '"' null "" header false force [] not []"#
        ]],
    );
    check(
        "COPY r (k) FROM STDIN",
        expect![[r#"0A000: COPY cannot use the default of column "v""#]],
    );
    check(
        "COPY r FROM STDIN (DEFAULT 'x')",
        expect![[r#"0A000: COPY cannot use the default of column "v""#]],
    );
    check(
        "COPY r FROM STDIN WHERE k > random()",
        expect!["0A000: COPY into a reference table cannot have a WHERE"],
    );
}

#[test]
fn what_several_nodes_cannot_do_is_refused() {
    check(
        "COPY t FROM STDIN (FREEZE)",
        expect!["0A000: cannot perform COPY FREEZE on a partitioned table"],
    );
    check(
        "COPY t FROM '/tmp/x'",
        expect!["0A000: COPY with a file or program of the server needs a table of the home node"],
    );
    check("COPY t_0 FROM STDIN", expect![[r#"0A000: "t_0" is a fragment of "t""#]]);
}

#[test]
fn a_query_goes_where_it_can_be_answered() {
    check("COPY (SELECT * FROM elsewhere) TO STDOUT", expect!["Home"]);
    check("COPY (SELECT 1) TO '/tmp/x'", expect!["Home"]);
    check(
        "COPY (SELECT * FROM r) TO PROGRAM 'cat'",
        expect!["0A000: COPY with a file or program of the server needs a table of the home node"],
    );
    check(
        "COPY (SELECT v FROM one WHERE k > v) TO STDOUT (FORMAT binary)",
        expect!["Node(NodeId(2))"],
    );
    check(
        "COPY (SELECT count(*) FROM t) TO STDOUT",
        expect!["0A000: this statement needs rows of several nodes, which Herd cannot combine"],
    );
    check(
        "COPY (DELETE FROM r RETURNING k) TO STDOUT",
        expect![[r#"0A000: this cannot be written to reference table "r""#]],
    );
}
