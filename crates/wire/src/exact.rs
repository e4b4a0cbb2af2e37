//! Reading one message at a time and not a byte more.
//!
//! Nothing that a client sent early is ever in a buffer of ours, so nothing sent in plain text can
//! be taken for part of an encrypted conversation, or of a later message.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::frame::HEADER_BYTES;

/// Why there is no message.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    #[error("the connection was closed between messages")]
    Closed,
    #[error("the connection was closed within a message")]
    Torn,
    #[error("unexpected message type {0}")]
    Unexpected(u8),
    #[error("invalid message length {length}, at most {bytes_max} are allowed")]
    Length { length: u32, bytes_max: usize },
    #[error(transparent)]
    Io(io::Error),
}

/// The body of a message that must have this tag; of any other, nothing but its header is read.
pub(crate) async fn message<S>(
    stream: &mut S,
    tag: u8,
    bytes_max: usize,
) -> Result<Vec<u8>, ReadError>
where
    S: AsyncRead + Unpin,
{
    let [found, a, b, c, d] = start::<_, HEADER_BYTES>(stream).await?;
    if found != tag {
        return Err(ReadError::Unexpected(found));
    }
    body(stream, [a, b, c, d], bytes_max).await
}

/// A packet of the startup phase, which has no tag: its body.
pub(crate) async fn packet<S>(stream: &mut S, bytes_max: usize) -> Result<Vec<u8>, ReadError>
where
    S: AsyncRead + Unpin,
{
    let length = start::<_, 4>(stream).await?;
    body(stream, length, bytes_max).await
}

/// The first bytes of a message, after which the end of the stream is a fault.
async fn start<S, const N: usize>(stream: &mut S) -> Result<[u8; N], ReadError>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = [0; N];
    let count = stream.read(&mut bytes).await.map_err(closed_or_io)?;
    if count == 0 {
        return Err(ReadError::Closed);
    }
    stream.read_exact(&mut bytes[count..]).await.map_err(torn_or_io)?;
    Ok(bytes)
}

async fn body<S>(stream: &mut S, length: [u8; 4], bytes_max: usize) -> Result<Vec<u8>, ReadError>
where
    S: AsyncRead + Unpin,
{
    let length = u32::from_be_bytes(length);
    let body_bytes = match (length as usize).checked_sub(4) {
        Some(body_bytes) if length as usize <= bytes_max => body_bytes,
        _ => return Err(ReadError::Length { length, bytes_max }),
    };
    let mut body = vec![0; body_bytes];
    stream.read_exact(&mut body).await.map_err(torn_or_io)?;
    Ok(body)
}

fn torn_or_io(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => ReadError::Torn,
        _ => ReadError::Io(error),
    }
}

fn closed_or_io(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => ReadError::Closed,
        _ => ReadError::Io(error),
    }
}
