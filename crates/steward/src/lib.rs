//! The certificate authority that attests: a request with evidence in, a certificate out.
//!
//! ```text
//! bytes ──▶ Request ──▶ authenticate, appraise ──▶ revoked? ──▶ issue ──▶ certificate
//! ```
//!
//! Every step is a pure function; the programme around it listens, fetches endorsements, reads the clock and keeps records.

// WASI hands a listener over by its number, see `wasi::sys`.
#![cfg_attr(not(target_os = "wasi"), forbid(unsafe_code))]

#[cfg(not(target_os = "wasi"))]
pub mod acme;
pub mod ca;
pub mod certify;
#[cfg(not(target_os = "wasi"))]
pub mod inventory;
pub mod issue;
#[cfg(not(target_os = "wasi"))]
pub mod policy;
#[cfg(not(target_os = "wasi"))]
pub mod records;
pub mod refusal;
pub mod request;
pub mod revocation;
#[cfg(target_os = "wasi")]
pub mod wasi;
