//! The conditions that bind a key.

use expect_test::expect;

use super::check;

#[test]
fn an_equality_with_a_constant_binds_the_key() {
    check(
        "select * from users where id = 1",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where 2 = id",
        expect![[r#"
        n3
          "users" by key id
    "#]],
    );
    check(
        "select * from users u where u.id = 3 and name = 'x'",
        expect![[r#"
        n2
          "users u" by key id
    "#]],
    );
    check(
        "select * from public.users where public.users.id = 1",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "SELECT * FROM Users WHERE ID=1",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        r#"select * from "users" where "id" = 1"#,
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where (id) = (1)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
}

#[test]
fn a_statement_without_its_key_is_refused() {
    check(
        "select * from users",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select count(*) from users where name = 'x'",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users order by id limit 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
}

#[test]
fn lists_and_arrays_bind_the_key() {
    check(
        "select * from users where id in (1)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id in (1, 2, 3)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "users" are on nodes n1, n3 and n2.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
    check(
        "select * from users where id in (1, 5)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "users" are on nodes n1 and n2.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
    check(
        "select * from users where id = any ('{1}')",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = any (array[1, 1])",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = any ('{1}'::bigint[])",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = some (array[1]::int[])",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
}

#[test]
fn what_cannot_be_read_in_a_list_unbinds_it() {
    check(
        "select * from users where id in (1, length('x'))",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id in (1, 2 - 1)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id in (1, age)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
}

#[test]
fn alternatives_over_the_key_bind_it() {
    check(
        "select * from users where id = 1 or id = 1",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1 or id = 2",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "users" are on nodes n1 and n3.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
    check(
        "select * from users where (id = 1 and name = 'x') or (name = 'y' and id in (1))",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1 or name = 'x'",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is one of several alternatives.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where not (id = 1)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where not (id <> 1)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
}

#[test]
fn conditions_that_are_not_conjuncts_bind_nothing() {
    check(
        "select id = 1 from users",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where (id = 1) is true",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where case when id = 1 then true end",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where coalesce(id = 1, true)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users group by id having id = 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id = 1 is not null",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where exists (select 1 from orders where user_id = 1)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
}

#[test]
fn expressions_around_the_key_bind_nothing() {
    check(
        "select * from users where id + 0 = 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id::int = 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where abs(id) = 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        r#"select * from names where name collate "C" = 'a'"#,
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "names" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "name = …", that singles out one node.
    "#]],
    );
    check(
        r#"select * from names where name = 'a' collate "C""#,
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "names" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "name = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id operator(pg_catalog.=) 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id <> 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from users where id > 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "users" lies on nodes n1, n2 and n3, and nothing binds its key id to known values.
          Add a condition on its key, such as "id = …", that singles out one node.
    "#]],
    );
    check(
        "select * from names where name like 'a'",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "names" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "name = …", that singles out one node.
    "#]],
    );
}

#[test]
fn a_key_of_two_columns_needs_both() {
    check(
        "select * from pairs where a = 1 and b = 'x'",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where a = 1",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "pairs" lies on nodes n1, n2 and n3, and nothing binds its key (a, b) to known values.
          Add a condition on its key, such as "(a, b) = …", that singles out one node.
    "#]],
    );
    check(
        "select * from pairs where (a, b) = (1, 'x')",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where (b, a) = ('x', 1)",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where (a, b) in ((1, 'x'), (1, 'x'))",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where row(a, b) = row(1, 'x')",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where (a = 1 and b = 'x') or (a = 2 and b = 'y')",
        expect![[r#"
        n2
          "pairs" by key (a, b)
    "#]],
    );
    check(
        "select * from pairs where a in (1, 2) and b in ('x', 'y')",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "pairs" are on nodes n2 and n1.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
}

#[test]
fn ranges_bind_a_table_cut_by_range() {
    check(
        "select * from days where day = '2024-05-01'",
        expect![[r#"
        n2
          "days" by key day
    "#]],
    );
    check(
        "select * from days where day between '2024-01-01' and '2024-12-31'",
        expect![[r#"
        n2
          "days" by key day
    "#]],
    );
    check(
        "select * from days where day >= '2024-01-01' and day < '2025-01-01'",
        expect![[r#"
        n2
          "days" by key day
    "#]],
    );
    check(
        "select * from days where day >= '2025-01-01'",
        expect![[r#"
        n3
          "days" by key day
    "#]],
    );
    check(
        "select * from days where day > '2023-12-31'",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "days" are on nodes n2 and n3.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
    check(
        "select * from days where day not between '2024-01-01' and '2024-12-31'",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "days" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "day = …", that singles out one node.
    "#]],
    );
    check(
        "select * from days where '2023-01-01' > day",
        expect![[r#"
        n1
          "days" by key day
    "#]],
    );
}

#[test]
fn lists_bind_a_table_cut_by_list() {
    check(
        "select * from ranks where granularity = 'daily'",
        expect![[r#"
        n2
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity in ('weekly', 'monthly')",
        expect![[r#"
        n3
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity is null",
        expect![[r#"
        n3
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity = 'yearly'",
        expect![[r#"
        everywhere
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity is not distinct from 'daily'",
        expect![[r#"
        n2
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity is not distinct from null",
        expect![[r#"
        n3
          "ranks" by key granularity
    "#]],
    );
    check(
        "select * from ranks where granularity is not null",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "ranks" lies on nodes n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "granularity = …", that singles out one node.
    "#]],
    );
}

#[test]
fn a_comparison_with_null_needs_no_rows() {
    check(
        "select * from users where id = null",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id in (1, null)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1 and id = 2",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1 and id in (1, 2)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
}

#[test]
fn a_table_on_one_node_needs_no_key() {
    check(
        "select count(*) from solo",
        expect![[r#"
        n2
          all of "solo": nothing binds its key id to known values
    "#]],
    );
    check(
        "select * from solo s join country c on c.code = s.v",
        expect![[r#"
        n2
          all of "solo s": nothing binds its key id to known values
    "#]],
    );
    check(
        "select * from solo join users on users.id = solo.id where users.id = 2",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          the rows needed of "solo" are on node n2; the rows needed of "users" are on node n3.
          Restrict the statement to keys that lie on one node, or split it into one for each.
    "#]],
    );
    check(
        "select * from solo join users on users.id = solo.id where users.id = 5",
        expect![[r#"
        n2
          "solo" by key id
          "users" by key id
    "#]],
    );
}
