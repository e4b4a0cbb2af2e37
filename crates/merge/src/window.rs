//! OFFSET and LIMIT of a stream of rows.

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Skipped,
    Shown,
}

/// The rows that are still to be skipped, and those that may still be shown.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    skip: u64,
    show: Option<u64>,
}

impl Window {
    #[must_use]
    pub fn new(offset: u64, limit: Option<u64>) -> Window {
        Window { skip: offset, show: limit }
    }

    /// Whether no further row is needed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.show == Some(0)
    }

    pub fn judge(&mut self) -> Verdict {
        if self.skip > 0 {
            self.skip -= 1;
            return Verdict::Skipped;
        }
        match &mut self.show {
            Some(0) => Verdict::Skipped,
            Some(show) => {
                *show -= 1;
                Verdict::Shown
            }
            None => Verdict::Shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(offset: u64, limit: Option<u64>) -> Vec<u64> {
        let mut window = Window::new(offset, limit);
        (0..10).filter(|_| !window.is_full() && window.judge() == Verdict::Shown).collect()
    }

    #[test]
    fn rows_before_the_offset_and_behind_the_limit_are_left_out() {
        assert_eq!(shown(0, None), (0..10).collect::<Vec<_>>());
        assert_eq!(shown(3, Some(2)), [3, 4]);
        assert_eq!(shown(8, Some(5)), [8, 9]);
        assert_eq!(shown(20, None), [0; 0]);
        assert_eq!(shown(2, Some(0)), [0; 0]);
    }
}
