//! Runs a Plan.
