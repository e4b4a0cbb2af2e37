//! What a pool holds at a moment, and what it has done so far.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    pub idle: usize,
    pub active: usize,
    pub opening: usize,
    pub waiting: usize,
    pub opened_total: u64,
    pub waited_us_total: u64,
}
