//! What a keep in a virtual machine asks of its host: a closed list of calls ([`call`]), passed through one fixed
//! [`block`] per thread.
//!
//! Nothing that crosses is a pointer, and no buffer's place is told: both sides compute it from the same [`call::Shape`]
//! and the lengths among the arguments ([`request`]), so there is no offset to lie about. Each side copies what the other
//! wrote, then checks the copy ([`request`] on the host, [`reply`] in the keep), then uses it.
//!
//! [`boot`] is what the launcher tells the shim once. This crate has no `unsafe`, allocates nothing and does no I/O.

#![no_std]

pub mod block;
pub mod boot;
pub mod call;
pub mod errno;
pub mod layout;
pub mod reply;
pub mod request;
