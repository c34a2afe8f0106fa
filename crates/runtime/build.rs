//! Tells the program the target it is built for.

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "cargo and build scripts talk through the environment and standard output"
)]
fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    println!("cargo::rustc-env=TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
