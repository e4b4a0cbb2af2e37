//! Whose row is next, of several streams that are each in order.

use std::cmp::Ordering;

use crate::key::{MalformedKey, Order};

/// Streams are numbered; each offers the key of its first row, and again when that has been taken.
#[derive(Debug)]
pub struct Merge {
    order: Order,
    /// The key that each stream has offered last.
    keys: Vec<Vec<u8>>,
    /// Streams with a row, the one that is next at the end.
    waiting: Vec<usize>,
}

impl Merge {
    #[must_use]
    pub fn new(order: Order, streams: usize) -> Merge {
        Merge { order, keys: vec![Vec::new(); streams], waiting: Vec::with_capacity(streams) }
    }

    #[must_use]
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Of equal rows, those of the first stream come first.
    ///
    /// # Errors
    /// When the key is not one of this order.
    pub fn offer(&mut self, stream: usize, key: &[u8]) -> Result<(), MalformedKey> {
        let (mut low, mut high) = (0, self.waiting.len());
        while low < high {
            let middle = low.midpoint(high);
            let other = self.waiting[middle];
            let ordering = self.order.compare(&self.keys[other], key)?;
            match ordering.then(other.cmp(&stream)) {
                Ordering::Greater => low = middle + 1,
                Ordering::Less | Ordering::Equal => high = middle,
            }
        }
        self.waiting.insert(low, stream);
        self.keys[stream].clear();
        self.keys[stream].extend_from_slice(key);
        Ok(())
    }

    /// The stream whose row is next; it is to offer another one, unless it has come to its end.
    pub fn take_next(&mut self) -> Option<usize> {
        self.waiting.pop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KeyType, SortKey};

    fn key(value: Option<i32>) -> Vec<u8> {
        match value {
            None => (-1_i32).to_be_bytes().to_vec(),
            Some(value) => [4_i32.to_be_bytes(), value.to_be_bytes()].concat(),
        }
    }

    /// The rows of `streams` as they are merged: of which stream, and the value.
    fn merged(order: &Order, streams: &[Vec<Option<i32>>]) -> Vec<(usize, Option<i32>)> {
        let mut merge = Merge::new(order.clone(), streams.len());
        let mut next = vec![0; streams.len()];
        let offer = |merge: &mut Merge, stream: usize, at: usize| {
            if let Some(&value) = streams[stream].get(at) {
                merge.offer(stream, &key(value)).expect("it is a key");
            }
        };
        (0..streams.len()).for_each(|stream| offer(&mut merge, stream, 0));
        let mut rows = Vec::new();
        while let Some(stream) = merge.take_next() {
            rows.push((stream, streams[stream][next[stream]]));
            next[stream] += 1;
            offer(&mut merge, stream, next[stream]);
        }
        rows
    }

    proptest! {
        #[test]
        fn sorted_streams_become_one_sorted_stream(
            mut streams in prop::collection::vec(
                prop::collection::vec(prop::option::of(-5..5_i32), 0..8), 1..6),
            descending: bool,
            nulls_first: bool,
        ) {
            let order = Order::new([SortKey { key_type: KeyType::Int4, descending, nulls_first }]);
            let compare = |a: &Option<i32>, b: &Option<i32>| {
                order.compare(&key(*a), &key(*b)).expect("they are keys")
            };
            streams.iter_mut().for_each(|stream| stream.sort_by(compare));
            let mut expected: Vec<(usize, Option<i32>)> = streams
                .iter()
                .enumerate()
                .flat_map(|(stream, rows)| rows.iter().map(move |&row| (stream, row)))
                .collect();
            expected.sort_by(|(_, a), (_, b)| compare(a, b));
            prop_assert_eq!(merged(&order, &streams), expected);
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_an_error() {
        let key_type = KeyType::Int4;
        let order = Order::new([SortKey { key_type, descending: false, nulls_first: false }]);
        let mut merge = Merge::new(order, 2);
        merge.offer(0, &key(Some(1))).expect("it is a key");
        assert_eq!(merge.offer(1, &[0, 0, 0, 4, 0]), Err(MalformedKey));
        assert_eq!(merge.offer(1, &[0, 0, 0, 2, 0, 1]), Err(MalformedKey));
    }
}
