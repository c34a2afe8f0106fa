//! What cannot be run is refused with a reason and, where there is one, a way out.

use e2e::run::Run;

const BAD_MODULE: i32 = 126;

fn refused(bytes: &[u8], reason: &str) {
    let error = format!("error: the workload cannot be loaded: {reason}\n");
    Run::bytes(bytes).end().check(BAD_MODULE, "", &error);
}

#[test]
fn files_that_are_not_webassembly() {
    refused(b"", "the file is empty[..]");
    refused(b"\x7fELF\x02\x01\x01", "[..]ELF[..]");
    refused(b"(module)", "[..]text[..]");
    refused(b"\x1f\x8b\x08\x00", "[..]gzip[..]");
    refused(b"\x00\x01\x02\x03\xff\xfe", "not a WebAssembly file[..]");
    refused(b"\0asm\x09\x00\x00\x00", "[..]version[..]");
}

#[test]
fn damaged_modules() {
    let good = wat::parse_str(r#"(module (func (export "_start")))"#).expect("a module");
    refused(&good[..good.len() - 3], "[..]");
    let mut mutilated = good.clone();
    mutilated[9] = 0xff;
    refused(&mutilated, "[..]");
    // A function that leaves a number behind which its type does not have.
    let ill_typed = r#"(module (func (export "_start") i32.const 1))"#;
    refused(&wat::parse_str(ill_typed).expect("a well-formed module"), "[..]");
}

#[test]
fn machine_code_is_never_loaded() {
    // How a precompiled Wasmtime module begins: an ELF file all the same.
    refused(b"\x7fELF\x02\x01\x01\xc8\x00\x00\x00\x00\x00\x00\x00\x00", "[..]ELF[..]");
}

#[test]
fn a_module_without_start() {
    Run::wat(r#"(module (memory (export "") 1))"#).end().check(
        BAD_MODULE,
        "",
        "error: the workload cannot be loaded: [..]`_start`[..]\n",
    );
}

#[test]
fn an_unknown_import_is_named() {
    let module = r#"(module (import "somewhere" "something" (func)) (func (export "_start")))"#;
    Run::wat(module).end().check(
        BAD_MODULE,
        "",
        "error: the workload cannot be loaded: [..]somewhere[..]something[..]\n",
    );
}

#[test]
fn a_missing_file() {
    let ended = Run::new("no-such.wasm").end();
    ended.check(1, "", "error: [..]no-such.wasm[..]\n");
}

#[test]
fn a_missing_manifest() {
    let run = Run::wat("(module)").options(["--config", "no-such.toml"]);
    run.end().check(1, "", "error: [..]no-such.toml[..]\n");
}

#[test]
fn a_manifest_with_an_unknown_key() {
    for (manifest, wrong, right) in [
        ("arg = []", "arg", "args"),
        ("stewardd = 'https://attest.example.com'", "stewardd", "steward"),
        ("[limits]\nmemmory = 1", "memmory", "memory"),
        ("[[files]]\nkind = 'listen'\nname = 'a'\nport_ = 1\nprot = 'tcp'", "port_", "port"),
    ] {
        let error = format!("error: [..]/Enarx.toml:[..]: unknown key `{wrong}`; did you mean `{right}`?\n");
        Run::wat("(module)").manifest(manifest).end().check(1, "", &error);
    }
}

#[test]
fn a_file_name_with_a_colon() {
    let manifest = "[[files]]\nkind = 'null'\nname = 'a:b'\n";
    let error = "error: [..]/Enarx.toml:3:8: file name must not contain ':'\n";
    Run::wat("(module)").manifest(manifest).end().check(1, "", error);
}

#[test]
fn an_unreachable_peer_is_named() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    let manifest =
        format!("[[files]]\nkind = 'connect'\nname = 'a'\nhost = '127.0.0.1'\nport = {port}\nprot = 'tcp'");
    let error = format!("error: files[0] (`a`): cannot connect to 127.0.0.1 port {port}: [..]\n");
    Run::wat(r#"(module (func (export "_start")))"#).manifest(&manifest).end().check(1, "", &error);
}

#[test]
fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = other.local_addr().expect("an address").port();
    let manifest =
        format!("[[files]]\nkind = 'listen'\nname = 'a'\naddr = '127.0.0.1'\nport = {port}\nprot = 'tcp'");
    let error = format!("error: files[0] (`a`): cannot listen on 127.0.0.1 port {port}: [..]\n");
    Run::wat(r#"(module (func (export "_start")))"#).manifest(&manifest).end().check(1, "", &error);
}
