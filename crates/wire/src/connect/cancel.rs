//! Asking a node to cancel what one of its connections runs.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::dial::{Reached, reach};
use super::{ConnectError, NodeAddress};

/// Returns when the node has closed the connection, which it does after it has delivered the
/// signal: a statement sent from then on is not hit.
pub async fn cancel(
    address: &NodeAddress,
    process_id: i32,
    key: &[u8],
    time_max: Duration,
) -> Result<(), ConnectError> {
    let mut request = BytesMut::new();
    CancelRequest::new(process_id, SecretKey::Bytes(Bytes::copy_from_slice(key)))
        .encode(&mut request)
        .map_err(|_| ConnectError::InvalidParameters)?;
    let deadline = Instant::now() + time_max;
    let conversation = async {
        let Reached { mut stream, .. } = reach(address, deadline).await?;
        stream.send(&request).await?;
        match stream.read_u8().await {
            Ok(_) => Err(ConnectError::Protocol("an answer to a cancel request")),
            Err(error) if is_closed(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    timeout_at(deadline, conversation).await.map_err(|_| ConnectError::TimedOut)?
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}
