//! The certificate authority that attests: a request with evidence in, a certificate out.
//!
//! ```text
//! bytes ──▶ Request ──▶ authenticate, appraise ──▶ revoked? ──▶ issue ──▶ certificate
//! ```
//!
//! Every step is a pure function; the programme around it listens, fetches endorsements, reads the clock and keeps records.

// WASI hands a listener over by its number, see `wasi::sys`; and what a server on a machine has, it has not.
#![cfg_attr(not(target_os = "wasi"), forbid(unsafe_code))]

#[cfg(not(target_os = "wasi"))]
pub mod acme;
#[cfg(not(target_os = "wasi"))]
pub mod app;
pub mod ca;
pub mod certify;
#[cfg(not(target_os = "wasi"))]
pub mod cli;
#[cfg(not(target_os = "wasi"))]
pub mod command;
#[cfg(not(target_os = "wasi"))]
pub mod error;
#[cfg(not(target_os = "wasi"))]
pub mod failure;
#[cfg(not(target_os = "wasi"))]
pub mod inventory;
pub mod issue;
#[cfg(not(target_os = "wasi"))]
pub mod library;
#[cfg(not(target_os = "wasi"))]
pub mod memory;
#[cfg(not(target_os = "wasi"))]
pub mod nonce;
#[cfg(not(target_os = "wasi"))]
pub mod output;
#[cfg(not(target_os = "wasi"))]
pub mod policy;
#[cfg(not(target_os = "wasi"))]
pub mod profiles;
#[cfg(not(target_os = "wasi"))]
pub mod records;
pub mod refusal;
pub mod request;
pub mod revocation;
#[cfg(not(target_os = "wasi"))]
pub mod router;
#[cfg(not(target_os = "wasi"))]
pub mod routes;
#[cfg(not(target_os = "wasi"))]
pub mod settings;
#[cfg(not(target_os = "wasi"))]
pub mod status;
#[cfg(target_os = "wasi")]
pub mod wasi;
