//! The certificate authority that attests: a request with evidence in, a certificate out.

#[cfg(target_os = "wasi")]
fn main() -> std::process::ExitCode {
    steward::wasi::main()
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
