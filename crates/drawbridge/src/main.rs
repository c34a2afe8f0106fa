//! The registry that releases workloads only to attested keeps.

fn main() {}
