//! The certificate authority that attests: a request with evidence in, a certificate out.
//!
//! ```text
//! bytes ──▶ Request ──▶ authenticate, appraise ──▶ revoked? ──▶ issue ──▶ certificate
//! ```
//!
//! Every step is a pure function; the programme around it listens, fetches endorsements, reads the clock and keeps records.

#![forbid(unsafe_code)]

pub mod ca;
pub mod certify;
pub mod inventory;
pub mod issue;
pub mod policy;
pub mod records;
pub mod refusal;
pub mod request;
pub mod revocation;
