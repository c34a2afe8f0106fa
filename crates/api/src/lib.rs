//! Everything that crosses between Enarx programs or onto disk, as plain types with strict decoders.
//!
//! Pure: no file, socket, clock or log is touched here; transport is the caller's.
//!
//! * [`manifest`] – `Enarx.toml`, what a workload asks of its keep.
//! * [`tree`] – a package: files and directories under one digest.
//! * [`digest`], [`name`] – what blobs, packages, users, repositories and versions are called by.
//! * [`launch`] – what the host tells the runtime of a keep, and what the runtime answers.

pub mod digest;
pub mod launch;
pub mod manifest;
pub mod name;
pub mod tree;
