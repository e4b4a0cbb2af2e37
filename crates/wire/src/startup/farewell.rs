//! Turning a client away.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use herd_types::ClientError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::bounds::{FAREWELL_MS_MAX, FAREWELL_READ_BYTES, FAREWELL_READS_MAX};
use crate::error::put_error;
use crate::stream::Stream;

/// Tells a client why it is turned away, as far as it listens.
pub async fn turn_away(stream: &mut Stream, error: &ClientError) {
    let mut out = BytesMut::new();
    put_error(&mut out, error);
    farewell(stream, &out).await;
}

/// Closes the connection properly, after some last messages.
pub async fn farewell(stream: &mut Stream, last_messages: &[u8]) {
    let told = async {
        stream.send(last_messages).await?;
        stream.shutdown().await?;
        discard_unread(stream).await
    };
    // Whether it was heard makes no difference to what follows.
    let _ = timeout(Duration::from_millis(FAREWELL_MS_MAX), told).await;
}

/// Bytes that are never read turn the close into a reset, which may overtake what was said.
async fn discard_unread(stream: &mut Stream) -> io::Result<()> {
    let mut scratch = [0; FAREWELL_READ_BYTES];
    for _ in 0..FAREWELL_READS_MAX {
        let mut read = pin!(stream.read(&mut scratch));
        let now = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await;
        match now {
            Poll::Ready(Ok(count)) if count > 0 => {}
            Poll::Ready(outcome) => return outcome.map(drop),
            Poll::Pending => return Ok(()),
        }
    }
    Ok(())
}
