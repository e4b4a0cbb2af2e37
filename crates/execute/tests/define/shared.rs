//! What every node has alike: types, functions, extensions, schemas.

use crate::herd::Herd;

#[tokio::test]
async fn types_functions_and_operators_are_on_every_node() {
    let herd = Herd::start("shared_types");
    for sql in [
        "CREATE SCHEMA app",
        "CREATE TYPE app.mood AS ENUM ('sad', 'happy')",
        "ALTER TYPE app.mood ADD VALUE 'fine' AFTER 'sad'",
        "CREATE TYPE pair AS (a int, b text)",
        "ALTER TYPE pair ADD ATTRIBUTE c int CASCADE",
        "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'",
        "ALTER FUNCTION twice(int) COST 5",
        "CREATE OPERATOR @@@ (FUNCTION = twice, RIGHTARG = int)",
        "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)",
        "CREATE PROCEDURE nothing() LANGUAGE sql AS ''",
        "CREATE COLLATION german (locale = 'C')",
        "CREATE CAST (pair AS text) WITH INOUT",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
        "COMMENT ON TYPE app.mood IS 'how it goes'",
        "COMMENT ON FUNCTION twice(int) IS 'x'",
        "GRANT EXECUTE ON FUNCTION twice(int) TO PUBLIC",
        "CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple)",
    ] {
        let tag = herd.define(sql).await;
        assert_ne!(tag, "home", "{sql}");
    }
    assert_eq!(herd.everywhere("SELECT @@@ total(x) FROM generate_series(1, 4) x"), "20");
    assert_eq!(herd.everywhere("SELECT 'fine'::app.mood > 'sad'"), "t");
    for sql in [
        "DROP CAST (pair AS text)",
        "DROP OPERATOR @@@ (NONE, int)",
        "DROP FUNCTION twice(int)",
        "DROP TYPE app.mood, pair",
        "DROP SCHEMA app",
        "DROP TEXT SEARCH CONFIGURATION plain",
    ] {
        herd.define(sql).await;
    }
    assert_eq!(herd.everywhere("SELECT count(*) FROM pg_namespace WHERE nspname = 'app'"), "0");
    herd.assert_settled();
}

#[tokio::test]
async fn what_is_older_than_the_herd_stays_on_the_home_node() {
    let herd = Herd::start("shared_old");
    let _ = herd.on(
        1,
        "CREATE SCHEMA old; CREATE TABLE old.t (id int); \
         CREATE FUNCTION old.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
         CREATE TYPE old.mood AS ENUM ('a'); CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    );
    for sql in [
        "CREATE FUNCTION old.h() RETURNS SETOF old.t LANGUAGE sql AS 'SELECT * FROM old.t'",
        "ALTER FUNCTION old.f() STABLE",
        "COMMENT ON FUNCTION old.f() IS 'x'",
        "GRANT USAGE ON SCHEMA old TO PUBLIC",
        "ALTER TYPE old.mood ADD VALUE 'b'",
        "DROP FUNCTION old.f(), g()",
        "DROP SCHEMA old CASCADE",
    ] {
        herd.define(sql).await;
    }
    assert_eq!(herd.everywhere("SELECT count(*) FROM pg_namespace WHERE nspname = 'old'"), "0");
    assert!(herd.refused("DROP FUNCTION g()").await.contains("42883"));
    herd.assert_settled();
}

#[tokio::test]
async fn a_definition_runs_as_the_client() {
    let mut herd = Herd::start("shared_client");
    let role = format!("maker_{}", std::process::id());
    herd.define(&format!("CREATE ROLE {role} LOGIN")).await;
    herd.nodes.role = Some(role.clone());
    let create = "CREATE TABLE t (id int) PARTITION BY HASH (id) WITH (herd.fragments = 2)";
    assert!(herd.refused(create).await.contains("42501"));
    herd.nodes.role = None;
    herd.define(&format!("CREATE SCHEMA AUTHORIZATION {role}")).await;
    herd.nodes.role = Some(role.clone());
    herd.define(create).await;
    assert_eq!(herd.catalog().tables().next().unwrap().name.to_string(), format!("{role}.t"));
    let owners = "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname ~ '^t(_|$)'";
    assert_eq!(herd.everywhere(owners), role);
    herd.define("DROP TABLE t").await;
    herd.nodes.role = None;
    herd.define(&format!("DROP OWNED BY {role} CASCADE")).await;
    herd.define(&format!("DROP ROLE {role}")).await;
    herd.assert_settled();
}
