//! shim
use herd_catalog::Catalog;
use herd_plan::{Target, Values};
use herd_types::{ClientError, NodeId};

pub(crate) enum Place {
    Home,
    Neutral,
    Everywhere,
    Current,
    Node(NodeId),
}
pub(crate) fn place(target: &Target, _c: &Catalog, _v: &Values<'_>) -> Result<Place, ClientError> {
    Ok(match target {
        Target::Home => Place::Home,
        Target::Neutral => Place::Neutral,
        Target::Everywhere => Place::Everywhere,
        Target::Current => Place::Current,
        #[allow(unreachable_patterns)]
        _ => return Err(ClientError::unsupported("x")),
    })
}
pub(crate) fn binds(p: &Place) -> bool {
    !matches!(p, Place::Neutral)
}
pub(crate) fn explain(
    _p: &herd_plan::Plan,
    _s: &[u8],
    _c: &Catalog,
    _v: &Values<'_>,
) -> Vec<String> {
    vec![]
}
