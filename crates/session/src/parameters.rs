//! The parameters of a Bind message, as the planner reads them.

use herd_plan::{Parameter, Parameters};
use herd_wire::message::Bind;

pub(crate) struct BoundParameters<'a> {
    bind: &'a Bind<'a>,
    types: &'a [u32],
}

impl<'a> BoundParameters<'a> {
    pub(crate) fn new(bind: &'a Bind<'a>, types: &'a [u32]) -> BoundParameters<'a> {
        BoundParameters { bind, types }
    }
}

impl Parameters for BoundParameters<'_> {
    fn get(&self, index: usize) -> Option<Parameter<'_>> {
        let (binary, value) = self.bind.parameter(index)?;
        let type_oid = self.types.get(index).copied().unwrap_or(0);
        Some(Parameter { type_oid, binary, value })
    }
}
