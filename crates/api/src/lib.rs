//! Everything that crosses between Enarx programs or onto disk, as plain types with strict decoders.
//!
//! Pure: no file, socket, clock or log is touched here; transport is the caller's.
//!
//! * [`manifest`] – `Enarx.toml`, what a workload asks of its keep.
//! * [`launch`] – what the host tells the runtime of a keep, and what the runtime answers.

pub mod launch;
pub mod manifest;
