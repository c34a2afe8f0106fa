//! Tells the program the target it is built for.

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]
fn main() {
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    println!("cargo::rustc-env=TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
