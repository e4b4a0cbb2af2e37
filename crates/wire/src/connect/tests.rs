//! Scripted nodes against `log_in` and `cancel`.
