//! From requests to certificates, without a network: what is issued, what is refused, and what others say of it.

#[path = "issuing/ceremony.rs"]
mod ceremony;
#[path = "issuing/certificates.rs"]
mod certificates;
#[path = "issuing/command.rs"]
mod command;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/dcap/hierarchy.rs"]
mod dcap;
#[path = "issuing/keep.rs"]
mod keep;
#[path = "issuing/legacy.rs"]
mod legacy;
#[path = "issuing/profiles.rs"]
mod profiles;
#[path = "issuing/revocation.rs"]
mod revocation;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/snp/hierarchy.rs"]
mod snp;
#[path = "issuing/token.rs"]
mod token;
#[path = "issuing/tools.rs"]
mod tools;
