//! The certificate authority that attests: a request with evidence in, a certificate out.
//!
//! ```text
//! bytes ──▶ Request ──▶ authenticate, appraise ──▶ revoked? ──▶ issue ──▶ certificate
//! ```
//!
//! Every step is a pure function; the programme around it listens, fetches endorsements, reads the clock and keeps records.

#![forbid(unsafe_code)]

pub mod acme;
pub mod app;
pub mod ca;
pub mod certify;
pub mod cli;
pub mod command;
pub mod error;
pub mod failure;
pub mod inventory;
pub mod issue;
pub mod library;
pub mod memory;
pub mod nonce;
pub mod output;
pub mod policy;
pub mod profiles;
pub mod records;
pub mod refusal;
pub mod request;
pub mod revocation;
pub mod router;
pub mod routes;
pub mod settings;
pub mod status;
