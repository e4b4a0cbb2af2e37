//! Triggers, policies, views, functions, privileges: what is attached to tables or names them.

use crate::herd::Herd;

async fn with_tables(database: &str) -> Herd {
    let herd = Herd::start(database);
    herd.define(
        "CREATE TABLE t (id int PRIMARY KEY, a text) PARTITION BY HASH (id) \
         WITH (herd.fragments = 4)",
    )
    .await;
    herd.define("CREATE TABLE r (id int PRIMARY KEY, a text) WITH (herd.reference = true)").await;
    herd.define("CREATE TABLE own (id int PRIMARY KEY, t text)").await;
    herd
}

#[tokio::test]
async fn triggers_and_policies_are_on_every_node() {
    let herd = with_tables("triggers").await;
    herd.define(
        "CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN NEW.a := upper(NEW.a); RETURN NEW; END'",
    )
    .await;
    herd.define("CREATE TRIGGER up BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION up()").await;
    let triggers =
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname ~ 'up'";
    assert_eq!(herd.everywhere(triggers), "1");
    herd.define("ALTER TRIGGER up ON t RENAME TO up2").await;
    herd.define("COMMENT ON TRIGGER up2 ON t IS 'x'").await;
    herd.define("DROP TRIGGER IF EXISTS up2 ON t").await;
    assert_eq!(herd.everywhere(triggers), "0");
    let statement = "CREATE TRIGGER s AFTER INSERT ON t EXECUTE FUNCTION up()";
    assert!(herd.refused(statement).await.contains("for each statement"));
    herd.define("CREATE POLICY p ON t USING (a IN (SELECT a FROM r))").await;
    herd.define("ALTER POLICY p ON t RENAME TO q").await;
    assert_eq!(herd.everywhere("SELECT polname FROM pg_policy"), "q");
    herd.define("DROP POLICY q ON t").await;
    let spy = "CREATE POLICY p ON own USING (id IN (SELECT id FROM t))";
    assert!(herd.refused(spy).await.contains("cannot name \"t\""));
    assert!(herd.refused("CREATE RULE x AS ON INSERT TO t DO NOTHING").await.contains("rules"));
    herd.define("CREATE STATISTICS st ON id, a FROM t").await;
    herd.define("COMMENT ON COLUMN t.a IS 'c'").await;
    assert_eq!(herd.everywhere("SELECT col_description('t'::regclass, 2)"), "c");
    herd.define("DROP STATISTICS st").await;
    herd.assert_settled();
}

#[tokio::test]
async fn nothing_may_hide_a_fragmented_table_in_a_query_of_the_home_node() {
    let herd = with_tables("views").await;
    for (sql, name) in [
        ("CREATE VIEW v AS SELECT * FROM own, t", "t"),
        (
            "CREATE VIEW v AS WITH x AS (SELECT 1) SELECT * FROM own JOIN (SELECT * FROM public.t) y USING (id)",
            "t",
        ),
        ("CREATE MATERIALIZED VIEW v AS TABLE t", "t"),
        ("CREATE TABLE v AS SELECT count(*) FROM t_1", "t_1"),
        ("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM t'", "t"),
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END",
            "t",
        ),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM \"t\"'; END$$",
            "t",
        ),
        ("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'INSERT INTO r VALUES (1)'", "r"),
        ("CREATE RULE x AS ON INSERT TO own DO ALSO INSERT INTO r VALUES (1)", "r"),
    ] {
        let refused = herd.refused(sql).await;
        assert!(refused.contains(&format!("cannot name \"{name}\"")), "{sql}: {refused}");
    }
    herd.define("CREATE VIEW v AS SELECT own.t AS t, r.a FROM own JOIN r USING (id)").await;
    herd.define("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM r'")
        .await;
    assert_eq!(herd.everywhere("SELECT f()"), "0");
    herd.define("CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT 1 FROM later); END$$").await;
    let later = "CREATE TABLE later (id int) PARTITION BY HASH (id) WITH (herd.fragments = 2)";
    assert!(herd.refused(later).await.contains("function g()"));
    herd.define("DROP FUNCTION g()").await;
    herd.define(later).await;
    herd.assert_settled();
}

#[tokio::test]
async fn privileges_go_where_their_tables_are() {
    let herd = with_tables("privileges").await;
    let role = format!("reader_{}", std::process::id());
    herd.define(&format!("CREATE USER {role} PASSWORD 'secret'")).await;
    let _ = herd.everywhere(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"));
    herd.define(&format!("ALTER USER {role} PASSWORD 'other' VALID UNTIL 'infinity'")).await;
    let verifier =
        herd.everywhere(&format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"));
    assert!(verifier.starts_with("SCRAM-SHA-256$4096:"));
    herd.define(&format!("GRANT SELECT (id), INSERT ON t, own, r TO {role}")).await;
    let may = |table: &str| format!("SELECT has_table_privilege('{role}', '{table}', 'INSERT')");
    assert_eq!(herd.everywhere(&may("t")), "t");
    assert_eq!(herd.everywhere(&may("r")), "t");
    assert_eq!(herd.on(1, &may("own")), "t");
    herd.define(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")).await;
    assert_eq!(herd.everywhere(&may("t")), "f");
    herd.define(&format!("GRANT USAGE ON SCHEMA public TO {role}")).await;
    herd.define(&format!("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}")).await;
    herd.define(&format!("GRANT pg_monitor TO {role}")).await;
    herd.define(&format!("DROP OWNED BY {role}")).await;
    herd.define(&format!("REVOKE pg_monitor FROM {role}")).await;
    herd.define(&format!("DROP ROLE IF EXISTS {role}")).await;
    assert_eq!(
        herd.everywhere(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")),
        "0"
    );
    herd.assert_settled();
}
