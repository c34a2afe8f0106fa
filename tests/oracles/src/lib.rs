//! Genuine evidence as both sides of a comparison need it.

pub mod dcap;
#[path = "../../../crates/attest/tests/support/memory.rs"]
pub mod memory;
pub mod snp;
#[path = "../../../crates/attest/tests/support/vectors.rs"]
mod vectors;

pub use vectors::{folder as vectors, read};
