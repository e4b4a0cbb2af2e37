//! Connections to nodes.
