//! Hands the linker its script where the real shim is built, and nothing where its stub is.

fn main() {
    println!("cargo:rerun-if-changed=layout.ld");
    let bare = std::env::var_os("CARGO_CFG_TARGET_OS").is_some_and(|os| os == "none");
    if let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR").filter(|_| bare) {
        println!("cargo:rustc-link-arg-bins=-T{}/layout.ld", folder.display());
    }
}
