//! What nodes are asked for, and how their rows are put together.

use expect_test::{Expect, expect};

use crate::fixture::{catalog, understood};
use crate::{Action, Asked, NoParameters, Parameter, Parameters, Values};

const BIGINT: u32 = 20;

struct Bound(Vec<Option<&'static str>>);

impl Parameters for Bound {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let value = self.0.get(index)?.map(str::as_bytes);
        Some(Parameter { type_oid: BIGINT, binary: false, value })
    }
}

fn asked(sql: &str, parameters: &dyn Parameters) -> Option<Asked> {
    let catalog = catalog();
    let understood = understood(sql, &catalog);
    let Action::Forward(forward) = &understood.plan.action else { return None };
    let scatter = forward.exchange.as_ref()?.scatter.as_ref()?;
    scatter.asked(&Values { text: sql.as_bytes(), slots: &understood.slots, parameters })
}

fn check(sql: &str, expected: Expect) {
    check_bound(sql, &NoParameters, expected);
}

fn check_bound(sql: &str, parameters: &dyn Parameters, expected: Expect) {
    let told = match asked(sql, parameters) {
        None => "an exchange".to_owned(),
        Some(Asked { text, offset, limit, .. }) => {
            let limit = limit.map_or_else(|| "all".to_owned(), |limit| limit.to_string());
            format!("{} [{offset}, {limit}]", String::from_utf8(text).expect("UTF-8"))
        }
    };
    expected.assert_eq(&told);
}

#[test]
fn without_an_order_the_text_goes_as_it_is() {
    check("SELECT * FROM users", expect!["SELECT * FROM users [0, all]"]);
    check(
        "SELECT lower(name) || 'x', id + 1 FROM users u WHERE name LIKE 'a%'",
        expect!["SELECT lower(name) || 'x', id + 1 FROM users u WHERE name LIKE 'a%' [0, all]"],
    );
    check("SELECT id FROM users LIMIT 10", expect!["SELECT id FROM users LIMIT 10 [0, 10]"]);
}

#[test]
fn what_is_sorted_by_comes_first_and_hidden() {
    check(
        "SELECT name FROM users ORDER BY id",
        expect![[
            r#"SELECT (id) AS "herd order 1", name FROM users ORDER BY 1 ASC NULLS LAST [0, all]"#
        ]],
    );
    check(
        "SELECT ALL name FROM users u ORDER BY u.id DESC, id::int4 NULLS FIRST",
        expect![[
            r#"SELECT ALL (u.id) AS "herd order 1", (id::int4) AS "herd order 2", name FROM users u ORDER BY 1 DESC NULLS FIRST, 2 ASC NULLS FIRST [0, all]"#
        ]],
    );
    check(
        "SELECT * FROM users ORDER BY name COLLATE \"C\" DESC NULLS LAST",
        expect![[
            r#"SELECT pg_catalog.convert_to((name COLLATE "C")::pg_catalog.text, pg_catalog.getdatabaseencoding()) AS "herd order 1", * FROM users ORDER BY 1 DESC NULLS LAST [0, all]"#
        ]],
    );
}

#[test]
fn a_name_or_a_number_is_an_item_of_the_select_list() {
    check(
        "SELECT name, id AS key FROM users ORDER BY key",
        expect![[
            r#"SELECT (id) AS "herd order 1", name, id AS key FROM users ORDER BY 1 ASC NULLS LAST [0, all]"#
        ]],
    );
    check(
        "SELECT name, id key FROM users ORDER BY 2 DESC",
        expect![[
            r#"SELECT (id) AS "herd order 1", name, id key FROM users ORDER BY 1 DESC NULLS FIRST [0, all]"#
        ]],
    );
    check("SELECT name, -id AS id FROM users ORDER BY (id)", expect!["an exchange"]);
    check(
        "SELECT name, id::int AS id FROM users ORDER BY id",
        expect![[
            r#"SELECT (id::int) AS "herd order 1", name, id::int AS id FROM users ORDER BY 1 ASC NULLS LAST [0, all]"#
        ]],
    );
}

#[test]
fn a_limit_is_asked_for_with_what_is_skipped() {
    check(
        "SELECT id FROM users ORDER BY id LIMIT 10 OFFSET 5",
        expect![[
            r#"SELECT (id) AS "herd order 1", id FROM users ORDER BY 1 ASC NULLS LAST LIMIT 10::pg_catalog.int8 + 5::pg_catalog.int8 OFFSET 5::pg_catalog.int8 * 0 [5, 10]"#
        ]],
    );
    check(
        "SELECT id FROM users OFFSET 5 ROWS",
        expect!["SELECT id FROM users OFFSET 5::pg_catalog.int8 * 0 [5, all]"],
    );
    let bound = |values: &[Option<&'static str>]| Bound(values.to_vec());
    let both = "SELECT id FROM users ORDER BY id OFFSET $2 LIMIT $1";
    check_bound(
        both,
        &bound(&[Some("3"), Some("4")]),
        expect![[
            r#"SELECT (id) AS "herd order 1", id FROM users ORDER BY 1 ASC NULLS LAST OFFSET $2::pg_catalog.int8 * 0 LIMIT $1::pg_catalog.int8 + $2::pg_catalog.int8 [4, 3]"#
        ]],
    );
    check_bound(
        both,
        &bound(&[None, None]),
        expect![[
            r#"SELECT (id) AS "herd order 1", id FROM users ORDER BY 1 ASC NULLS LAST OFFSET $2::pg_catalog.int8 * 0 LIMIT $1::pg_catalog.int8 + $2::pg_catalog.int8 [0, all]"#
        ]],
    );
}

#[test]
fn a_count_that_is_none_is_for_the_server_to_refuse() {
    let limit = "SELECT id FROM users LIMIT $1";
    for value in ["-1", "x", "9223372036854775808", "1.5"] {
        assert_eq!(asked(limit, &Bound(vec![Some(value)])), None, "{value}");
    }
    assert_eq!(asked(limit, &NoParameters), None);
    assert_eq!(asked("SELECT id FROM users LIMIT 9223372036854775808", &NoParameters), None);
}

#[test]
fn whatever_is_not_surely_the_same_is_an_exchange() {
    for sql in [
        "SELECT count(*) FROM users",
        "SELECT DISTINCT id FROM users",
        "SELECT id FROM users GROUP BY id",
        "SELECT row_number() OVER () FROM users",
        "SELECT id FROM users UNION ALL SELECT id FROM users",
        "SELECT a.id FROM users a, users b",
        "SELECT id FROM users WHERE id IN (SELECT 1)",
        "SELECT (SELECT 1) FROM users",
        "SELECT now() FROM users",
        "SELECT id FROM users WHERE name = current_user",
        "SELECT random() FROM users",
        "SELECT own_function(id) FROM users",
        "SELECT unnest(ARRAY[1, 2]) FROM users",
        "SELECT 'now'::timestamptz, id FROM users",
        "SELECT E'\\x6eow'::timestamptz, id FROM users",
        "SELECT 'users'::regclass FROM users",
        "SELECT id FROM users ORDER BY name",
        "SELECT id FROM users ORDER BY lower(name)",
        "SELECT id FROM users ORDER BY id + 1",
        "SELECT id FROM users ORDER BY id USING >",
        "SELECT -id AS id FROM users ORDER BY id",
        "SELECT id, -id AS id FROM users ORDER BY id",
        "SELECT CASE WHEN true THEN 1 ELSE id END FROM users ORDER BY id",
        "SELECT *, id FROM users ORDER BY 3",
        "SELECT id FROM users ORDER BY id FETCH FIRST 3 ROWS WITH TIES",
        "SELECT id FROM users LIMIT 1 + 1",
        "SELECT id FROM users LIMIT ALL",
        "(SELECT id FROM users ORDER BY id) LIMIT 3",
        "TABLE users",
    ] {
        assert_eq!(asked(sql, &NoParameters), None, "{sql}");
    }
}
