//! The certificate authority that attests: a request with evidence in, a certificate out.

fn main() {}
