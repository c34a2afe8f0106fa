//! The registry that releases workloads only to attested keeps.

pub mod settings;
pub mod store;
