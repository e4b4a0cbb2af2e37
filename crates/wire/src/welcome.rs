//! What a client gets once it is in: AuthenticationOk, parameters, its cancel key, and the turn.

use bytes::{Bytes, BytesMut};
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey};

use crate::auth::Proven;
use crate::cancel::CancelKey;
use crate::error::put;
use crate::message::{self, TransactionStatus};

/// Appends everything up to the first ReadyForQuery, for someone who is `_proven`.
pub fn put_welcome<'a>(
    out: &mut BytesMut,
    _proven: &Proven,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    key: &CancelKey,
) {
    put(out, &Authentication::Ok);
    for (name, value) in parameters {
        message::parameter_status(out, name, value);
    }
    let secret = SecretKey::Bytes(Bytes::copy_from_slice(key.secret()));
    put(out, &BackendKeyData::new(key.process_id, secret));
    message::ready(out, TransactionStatus::Idle);
}
