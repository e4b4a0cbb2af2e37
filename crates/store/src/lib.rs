//! Where the catalog is durable.
