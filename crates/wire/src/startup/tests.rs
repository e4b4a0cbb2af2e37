//! Scripted clients against `greet`.
