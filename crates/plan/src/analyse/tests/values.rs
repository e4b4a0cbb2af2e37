//! Constants as values of a key.

use expect_test::expect;

use super::check;

#[test]
fn a_string_without_a_type_takes_the_type_of_the_key() {
    check(
        "select * from users where id = '1'",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = ' 1 '",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from names where name = 'a'",
        expect![[r#"
        n3
          "names" by key name
    "#]],
    );
    check(
        r#"select * from names where name = E'\x61'"#,
        expect![[r#"
        n3
          "names" by key name
    "#]],
    );
    check(
        "select * from names where name = $$a$$",
        expect![[r#"
        n3
          "names" by key name
    "#]],
    );
    check(
        r#"select * from names where name = U&'\0061'"#,
        expect![[r#"
        n3
          "names" by key name
    "#]],
    );
}

#[test]
fn a_value_that_the_server_rejects_is_left_to_it() {
    check(
        "select * from users where id = 'abc'",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1 and id = 'abc'",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = '1.0'",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
}

#[test]
fn a_cast_says_the_type() {
    check(
        "select * from users where id = '1'::bigint",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = cast('1' as bigint)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = bigint '1'",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = int4 '1'",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1::bigint",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = -1::bigint",
        expect![[r#"
        n2
          "users" by key id
    "#]],
    );
    check(
        "select * from days where day = date '2024-05-01'",
        expect![[r#"
        n2
          "days" by key day
    "#]],
    );
    check(
        "select * from days where day = timestamp '2024-05-01 00:00'",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "days" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from users where id = '1'::text",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from names where name = 'a'::varchar(3)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "names" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "name = …", that singles out one node.
    "#]],
    );
    check(
        "select * from names where name = 'a'::char(3)",
        expect![[r#"
        0A000: this statement needs rows of several nodes, which Herd cannot combine
          Table "names" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
          Add a condition on its key, such as "name = …", that singles out one node.
    "#]],
    );
    check(
        "select * from names where name = 'a'::text",
        expect![[r#"
        n3
          "names" by key name
    "#]],
    );
}

#[test]
fn numbers_have_types_of_their_own() {
    check(
        "select * from users where id = 1.0",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 1.5",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from users where id = 1e0",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = -1",
        expect![[r#"
        n2
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = +1",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id = 99999999999999999999",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from articles where id = 3000000000",
        expect![[r#"
        n2
          "articles" by key id
    "#]],
    );
    check(
        "select * from names where name = 1",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "names" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from users where id = 0x1F",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from users where id = 1_000",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but what the value means depends on the server.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
}

#[test]
fn mixed_lists_are_read_with_care() {
    check(
        "select * from users where id in ('1', 1)",
        expect![[r#"
        n1
          "users" by key id
    "#]],
    );
    check(
        "select * from users where id in ('1.0', 1.0)",
        expect![[r#"
        0A000: Herd cannot tell on which node the rows of "users" are
          Its key is given, but values of several types stand beside each other.
          Give the key as a plain value of the column's type, or cast it to that type.
    "#]],
    );
    check(
        "select * from users where id in ('abc', 'def')",
        expect![[r#"
        everywhere
          "users" by key id
    "#]],
    );
}

#[test]
fn a_symmetric_between_states_no_bound() {
    check(
        "select * from days where day between symmetric '2024-12-31' and '2024-01-01'",
        expect![[r#"
            0A000: this statement needs rows of several nodes, which Herd cannot combine
              Table "days" lies on nodes n1, n2 and n3, and the condition on its key is no comparison of the column itself with constants.
              Add a condition on its key, such as "day = …", that singles out one node.
        "#]],
    );
}
