//! The registry that releases workloads only to attested keeps.
//!
//! ```text
//! request ─▶ who calls? ─▶ may they? (pure) ─▶ record ─▶ store ─▶ answer
//!            caller        access              record    store    routes, oci
//! ```
//!
//! Two interfaces stand over one store: trees ([`routes`]), as Drawbridge has had them since its first release, and OCI
//! Distribution. A package that was published by one can be fetched by the other, and has the same digest
//! ([`package`]).

#![forbid(unsafe_code)]

pub mod access;
pub mod app;
pub mod caller;
pub mod cli;
pub mod command;
pub mod configuration;
pub mod error;
pub mod oci;
pub mod package;
pub mod record;
pub mod router;
pub mod routes;
pub mod settings;
pub mod signature;
pub mod store;
pub mod transfer;
