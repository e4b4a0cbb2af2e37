//! Parameters of a query whose parts run on several nodes: each part gets those that it names.

use bytes::BytesMut;
use herd_types::{ClientError, SqlState};
use herd_wire::message::{self, Bind};

/// A statement's parameters.
pub(crate) struct BoundTo<'a> {
    pub(crate) types: &'a [u32],
    /// The formats and values of some of them, as a Bind gives them.
    pub(crate) some: &'a (dyn Fn(&[u16]) -> Vec<u8> + Sync),
}

pub(super) fn no_parameter() -> ClientError {
    ClientError::error(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1")
}

pub(crate) fn check_parameters(bind: &Bind<'_>, wanted: usize) -> Result<(), ClientError> {
    let given = usize::from(bind.parameters);
    if given == wanted {
        return Ok(());
    }
    let name = String::from_utf8_lossy(bind.statement);
    let message = format!(
        "bind message supplies {given} parameters, but prepared statement \"{name}\" requires {wanted}"
    );
    Err(ClientError::error(SqlState::PROTOCOL_VIOLATION, message))
}

/// The types of some parameters, 0 for those that the server infers.
pub(crate) fn some_types(types: &[u32], indices: &[u16]) -> Vec<u32> {
    let type_of = |&index: &u16| types.get(usize::from(index)).copied().unwrap_or_default();
    indices.iter().map(type_of).collect()
}

/// The formats and values of some parameters, as a Bind has them.
pub(crate) fn some_parameters(bind: &Bind<'_>, indices: &[u16]) -> Vec<u8> {
    let parameter = |&index: &u16| bind.parameter(usize::from(index)).unwrap_or((false, None));
    let parameters: Vec<_> = indices.iter().map(parameter).collect();
    let mut out = BytesMut::new();
    message::put_parameters(&mut out, &parameters);
    out.to_vec()
}
