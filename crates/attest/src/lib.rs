//! The verifier: decides whether attestation evidence is genuine and acceptable.
//!
//! ```text
//!  bytes ──decode──▶ Evidence ──authenticate──▶ Authentic ──appraise──▶ AttestationResult
//!                       │            │ roots, chains,          │ policy,
//!                       ▼            ▼ signatures, bindings    ▼ reference values
//!                   Rejection    Rejection                 Rejection, with every failed check
//! ```
//!
//! [`Evidence::decode`](evidence::Evidence::decode) reads what an attester sent, [`appraise`](appraise::appraise) judges it.
//! Genuine (*authenticate*) and acceptable (*appraise*) are separate steps with separate proof types: no function outside
//! this crate can make an [`Authentic`](appraise::Authentic) or an [`AttestationResult`](result::AttestationResult).
//!
//! The crate is a pure function of its arguments: it does no I/O, reads no clock, logs nothing, keeps no state, and has no
//! unsafe code. What endorsers publish, the time, the policy and the memory of verified signatures come from the caller.
//!
//! Each environment is a module with the same three functions: `decode(bytes)`, `authenticate(evidence, endorsements, now,
//! checks)`, which proves signatures and returns [`Claims`](claims::Claims), and `appraise(claims, detail, section, checks)`,
//! which applies its section of the [`Policy`](policy::Policy). Checks are never skipped because another one failed; each is
//! recorded under a stable [`Reason`](reason::Reason) with what was expected and what was found.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod appraise;
pub mod base64;
pub mod binding;
pub mod carrier;
pub mod cbor;
pub mod cca;
pub mod claims;
pub mod cose;
pub mod crypto;
pub mod cursor;
pub mod dcap;
pub mod der;
pub mod endorsements;
pub mod evidence;
pub mod explain;
pub mod memory;
pub mod nitro;
pub mod pem;
pub mod policy;
pub mod reason;
pub mod reference;
pub mod result;
pub mod roots;
pub mod sgx;
pub mod snp;
pub mod tdx;
pub mod time;
pub mod value;
pub mod vtpm;
pub mod x509;
