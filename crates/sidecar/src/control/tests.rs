//! Nodes that cannot be connected to.

use bb8::ManageConnection;
use herd_types::SqlState;
use herd_wire::connect::NodeAddress;
use herd_wire::tls::{TlsToNode, Verification};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_postgres::Config;

use super::manager::NodeManager;

fn login() -> Config {
    let mut login = Config::new();
    login.user("herd").dbname("postgres");
    login
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_named_with_the_reason() {
    let address = NodeAddress::new("/nonexistent", 6543, TlsToNode::Off);
    let manager = NodeManager::new(&address, login());
    let error = manager.connect().await.expect_err("there is no socket");
    assert_eq!(error.sqlstate(), SqlState::CONNECTION_FAILURE);
    let told = error.to_string();
    assert!(told.starts_with("cannot connect to /nonexistent/.s.PGSQL.6543: "), "{told}");
    assert!(told.contains("No such file"), "{told}");
    assert_eq!(manager.trouble(), Some(told));
}

#[tokio::test]
async fn a_node_that_does_not_encrypt_hears_no_login_where_tls_is_required() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let node = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 8];
        stream.read_exact(&mut request).await.expect("an SSLRequest");
        stream.write_all(b"N").await.expect("room");
        let mut more = Vec::new();
        stream.read_to_end(&mut more).await.expect("the end");
        more
    });
    let tls = TlsToNode::required(None, Verification::Nothing).expect("nothing is read");
    let manager = NodeManager::new(&NodeAddress::new("127.0.0.1", port, tls), login());
    let error = manager.connect().await.expect_err("the node does not encrypt");
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert!(node.await.expect("the node's part").is_empty());
}
