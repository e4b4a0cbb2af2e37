//! Aggregates of parts: what is computed on each node, and what that comes to.

use super::Function;

impl Function {
    pub(crate) const ALL: [Function; 6] = [
        Function::Count,
        Function::Min,
        Function::Max,
        Function::SumOfIntegers,
        Function::Sum,
        Function::Avg,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Function::Count => "count",
            Function::Min => "min",
            Function::Max => "max",
            Function::Sum | Function::SumOfIntegers => "sum",
            Function::Avg => "avg",
        }
    }

    /// What each node computes, by names of its own.
    pub(super) fn parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Function::Count => &[("count", "count")],
            Function::Min => &[("min", "min")],
            Function::Max => &[("max", "max")],
            Function::Sum | Function::SumOfIntegers => &[("sum", "sum")],
            Function::Avg => &[("sum", "sum"), ("count", "count")],
        }
    }

    /// What the parts come to.
    pub(super) fn whole(self, place: usize) -> String {
        let sum = |part| format!("pg_catalog.sum({})", part_name(place, part));
        match self {
            Function::Count => format!("coalesce({}, 0)::pg_catalog.int8", sum("count")),
            Function::SumOfIntegers => format!("{}::pg_catalog.int8", sum("sum")),
            Function::Sum => sum("sum"),
            Function::Min => format!("min({})", part_name(place, "min")),
            Function::Max => format!("max({})", part_name(place, "max")),
            Function::Avg => format!("{} / nullif({}, 0)", sum("sum"), sum("count")),
        }
    }
}

pub(super) fn part_name(place: usize, part: &str) -> String {
    format!("\"herd {part} {place}\"")
}

pub(super) fn whole_name(place: usize) -> String {
    format!("\"herd {place}\"")
}

pub(super) fn group_by(columns: &[String]) -> String {
    if columns.is_empty() { String::new() } else { format!(" GROUP BY {}", columns.join(", ")) }
}
