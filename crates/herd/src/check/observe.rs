//! What the nodes say of themselves to Herd's control account.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use herd_config::{Auth, Config, NodeConfig};
use herd_wire::connect::{NodeAddress, dial};
use herd_wire::tls::{TlsToNode, Verification};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls, Row};

/// For everything that is asked of one node.
const QUESTIONS_MAX: Duration = Duration::from_secs(10);

pub struct Observed {
    pub node: String,
    /// Why there are no facts, in words for the operator.
    pub facts: Result<Facts, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub version: String,
    pub version_number: i32,
    pub in_recovery: bool,
    pub is_superuser: bool,
    pub max_connections: usize,
    /// Kept free by the server for superusers and others.
    pub reserved_connections: usize,
    pub max_prepared_transactions: i32,
    pub standard_conforming_strings: bool,
    pub encoding: String,
    pub collation: Collation,
    pub databases: Vec<String>,
    pub verifiers: Verifiers,
    /// Roles that may log in, no superusers, and that the control account may not become.
    pub foreign_roles: Vec<String>,
    /// Name to version, in the control database.
    pub extensions: BTreeMap<String, String>,
}

/// How the control database orders text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation {
    pub provider: String,
    pub name: String,
    pub ctype: String,
    pub version: Option<String>,
}

/// Of the roles that may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifiers {
    Hidden,
    /// Role to fingerprint; `None` when it has no password. Never the verifier itself.
    Readable(BTreeMap<String, Option<String>>),
}

pub async fn all(config: &Config) -> Vec<Observed> {
    join_all(config.nodes.iter().map(|node| one(config, node))).await
}

async fn one(config: &Config, node: &NodeConfig) -> Observed {
    let deadline = Instant::now() + config.pool.connect_timeout;
    let facts = async {
        let client = connect(&config.auth, node, deadline).await?;
        timeout_at(Instant::now() + QUESTIONS_MAX, ask(&client))
            .await
            .context("it does not answer")?
            .context("it refuses a question of Herd's")
    };
    let facts = facts.await.map_err(|error| format!("{error:#}"));
    Observed { node: node.name.clone(), facts }
}

async fn connect(auth: &Auth, node: &NodeConfig, deadline: Instant) -> Result<Client> {
    let tls = if node.tls {
        TlsToNode::required(node.tls_authority.as_deref(), Verification::Host)?
    } else {
        TlsToNode::Off
    };
    let address = NodeAddress::new(&node.host, node.port, tls);
    let stream = dial(&address, deadline).await?;
    let mut config = tokio_postgres::Config::new();
    config
        .user(&auth.control_user)
        .dbname(&auth.control_database)
        .application_name("herd check")
        .options("-c search_path=pg_catalog -c default_transaction_read_only=on")
        // The stream is encrypted already where it must be.
        .ssl_mode(SslMode::Disable);
    if let Some(password) = &auth.control_password {
        config.password(password.reveal());
    }
    let logged_in = timeout_at(deadline, config.connect_raw(stream, NoTls));
    let (client, connection) =
        logged_in.await.context("no answer to the login in time")?.with_context(|| {
            format!("cannot log in as {} to {}", auth.control_user, auth.control_database)
        })?;
    tokio::spawn(connection);
    Ok(client)
}

async fn ask(client: &Client) -> Result<Facts> {
    let row = client.query_one(SETTINGS, &[]).await?;
    let integer = |setting: &str| -> Result<i32> {
        row.try_get::<_, &str>(setting)?.parse().with_context(|| format!("{setting} is no number"))
    };
    let count = |setting: &str| Ok::<_, anyhow::Error>(usize::try_from(integer(setting)?)?);
    let version_number = integer("version_number")?;
    Ok(Facts {
        version: row.try_get("version")?,
        version_number,
        in_recovery: row.try_get("in_recovery")?,
        is_superuser: row.try_get("is_superuser")?,
        max_connections: count("max_connections")?,
        reserved_connections: count("superuser_reserved_connections")?
            + count("reserved_connections")?,
        max_prepared_transactions: integer("max_prepared_transactions")?,
        standard_conforming_strings: row.try_get("standard_conforming_strings")?,
        encoding: row.try_get("encoding")?,
        collation: collation(client, version_number).await?,
        databases: texts(client.query(DATABASES, &[]).await?)?,
        verifiers: verifiers(client).await?,
        foreign_roles: texts(client.query(&foreign_roles(version_number), &[]).await?)?,
        extensions: client
            .query(EXTENSIONS, &[])
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_>>()?,
    })
}

const SETTINGS: &str = "SELECT \
    pg_catalog.current_setting('server_version') AS version, \
    pg_catalog.current_setting('server_version_num') AS version_number, \
    pg_catalog.pg_is_in_recovery() AS in_recovery, \
    (SELECT rolsuper FROM pg_catalog.pg_roles \
        WHERE rolname OPERATOR(pg_catalog.=) current_user) AS is_superuser, \
    pg_catalog.current_setting('max_connections') AS max_connections, \
    pg_catalog.current_setting('superuser_reserved_connections') AS superuser_reserved_connections, \
    COALESCE(pg_catalog.current_setting('reserved_connections', true), '0') AS reserved_connections, \
    pg_catalog.current_setting('max_prepared_transactions') AS max_prepared_transactions, \
    pg_catalog.current_setting('standard_conforming_strings')::pg_catalog.bool \
        AS standard_conforming_strings, \
    pg_catalog.current_setting('server_encoding') AS encoding";

const DATABASES: &str = "SELECT datname::pg_catalog.text FROM pg_catalog.pg_database \
    WHERE datallowconn AND NOT datistemplate ORDER BY 1";

const EXTENSIONS: &str = "SELECT extname::pg_catalog.text, extversion FROM pg_catalog.pg_extension";

/// The ICU locale has had a name of its own in each of PostgreSQL 15 and 17.
async fn collation(client: &Client, version_number: i32) -> Result<Collation> {
    let locale = if version_number >= 170_000 { "datlocale" } else { "daticulocale" };
    let sql = format!(
        "SELECT datlocprovider::pg_catalog.text, COALESCE({locale}, datcollate), datctype, \
         pg_catalog.pg_database_collation_actual_version(oid) FROM pg_catalog.pg_database \
         WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
    );
    let row = client.query_one(&sql, &[]).await?;
    Ok(Collation {
        provider: row.try_get(0)?,
        name: row.try_get(1)?,
        ctype: row.try_get(2)?,
        version: row.try_get(3)?,
    })
}

async fn verifiers(client: &Client) -> Result<Verifiers> {
    let row = client.query_one(MAY_READ, &[]).await?;
    let source = match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => "pg_catalog.pg_authid",
        (false, Some(true)) => "herd.role_verifiers()",
        (false, Some(false) | None) => return Ok(Verifiers::Hidden),
    };
    let sql = format!(
        "SELECT rolname::pg_catalog.text, pg_catalog.md5(rolpassword) FROM {source} \
         WHERE rolcanlogin"
    );
    let rows = client.query(&sql, &[]).await?;
    let of_row = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(of_row).collect::<Result<_>>().map(Verifiers::Readable)
}

const MAY_READ: &str = "SELECT \
    pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT'), \
    (SELECT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') \
            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
        FROM pg_catalog.pg_proc AS p \
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
        WHERE n.nspname OPERATOR(pg_catalog.=) 'herd' \
        AND p.proname OPERATOR(pg_catalog.=) 'role_verifiers' \
        AND p.pronargs OPERATOR(pg_catalog.=) 0)";

/// Since PostgreSQL 16, a member may be denied to become the role.
fn foreign_roles(version_number: i32) -> String {
    let right = if version_number >= 160_000 { "SET" } else { "MEMBER" };
    format!(
        "SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles \
         WHERE rolcanlogin AND NOT rolsuper AND NOT pg_catalog.pg_has_role(current_user, oid, '{right}') ORDER BY 1"
    )
}

fn texts(rows: Vec<Row>) -> Result<Vec<String>> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
