//! The endpoint under test, from the environment, and schemas for test files. No tests live here.

use std::env;

use tokio_postgres::{Client, Config, NoTls};

/// Where to connect, from `HERD_TEST_HOST`, `_PORT`, `_USER`, `_PASSWORD` and `_DBNAME`.
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub dbname: String,
}

impl Endpoint {
    pub fn from_environment() -> Endpoint {
        let port =
            env::var("HERD_TEST_PORT").expect("HERD_TEST_PORT is set; run through tests/run");
        let variable =
            |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        Endpoint {
            host: variable("HERD_TEST_HOST", "127.0.0.1"),
            port: port.parse().expect("HERD_TEST_PORT is a port"),
            user: variable("HERD_TEST_USER", "herd"),
            password: variable("HERD_TEST_PASSWORD", "herd"),
            dbname: variable("HERD_TEST_DBNAME", "herd"),
        }
    }

    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.user)
            .password(&self.password)
            .dbname(&self.dbname);
        config
    }
}

/// Makes `schema` afresh; what an earlier run left in it is gone.
pub async fn fresh_schema(schema: &str) {
    let (client, connection) =
        Endpoint::from_environment().config().connect(NoTls).await.expect("connects");
    tokio::spawn(connection);
    let statements = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    client.batch_execute(&statements).await.expect("makes the schema");
}

/// A connection that looks into `schema`, which the caller has made.
pub async fn connect(schema: &str) -> Client {
    let mut config = Endpoint::from_environment().config();
    let (client, connection) =
        config.options(format!("-c search_path={schema}")).connect(NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}
