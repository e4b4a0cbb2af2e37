//! The sample: its schema and rows, loaded through Herd by an ordinary client.

mod load;
mod people;
mod reading;
mod rows;
#[cfg(test)]
mod tests;
mod writing;

pub use load::load;
