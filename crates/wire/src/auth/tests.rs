//! Scripted clients against `authenticate`.
