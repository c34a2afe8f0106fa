//! What a workload is, from the outline of its WebAssembly.

use api::launch::{Ending, Kind};
use wasmtime::wasmparser::{BinaryReaderError, Parser, Payload};

/// Functions a workload may have: CPython has 20 thousand. A million empty ones would compile for a minute.
const FUNCTIONS_LIMIT: u64 = 250_000;

/// What the workload is; it is refused if it is no WebAssembly, or too much of it to compile.
pub fn of(bytes: &[u8]) -> Result<Kind, Ending> {
    let component = is_component(bytes).map_err(Ending::BadModule)?;
    let service = service(bytes)?;
    Ok(if component { service.unwrap_or(Kind::Component) } else { Kind::Module })
}

/// From the first eight bytes: a component, or a core module.
fn is_component(bytes: &[u8]) -> Result<bool, String> {
    match bytes {
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(false),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(true),
        [0, b'a', b's', b'm', version @ ..] => {
            Err(format!("WebAssembly of an unknown version ({:02x?})", &version[..version.len().min(4)]))
        }
        [] => Err("the file is empty".to_owned()),
        [0x7f, b'E', b'L', b'F', ..] => Err("machine code (an ELF file), not WebAssembly; \
             a keep compiles the .wasm file itself"
            .to_owned()),
        [0x1f, 0x8b, ..] => Err("a gzip archive, not WebAssembly; unpack it first".to_owned()),
        _ if looks_like_text(bytes) => Err("WebAssembly text, not its binary form; translate it first, \
             for example with `wasm-tools parse app.wat -o app.wasm`"
            .to_owned()),
        _ => Err("not a WebAssembly file".to_owned()),
    }
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    start.starts_with(b"(module") || start.starts_with(b"(component") || start.starts_with(b";;")
}

/// Reads the outline of the workload, without its code: what it exports, and how much there would be to compile.
fn service(bytes: &[u8]) -> Result<Option<Kind>, Ending> {
    let bad = |error: BinaryReaderError| Ending::BadModule(error.to_string());
    let (mut functions, mut depth) = (0, 0_u32);
    let (mut http, mut tasks, mut command) = (false, false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(bad)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::FunctionSection(section) => functions += u64::from(section.count()),
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let name = export.map_err(bad)?.name.name;
                    tasks |= name.starts_with("wasi:http/handler@");
                    http |= tasks || name.starts_with("wasi:http/incoming-handler@");
                    command |= name.starts_with("wasi:cli/run@");
                }
            }
            _ => {}
        }
    }
    if functions > FUNCTIONS_LIMIT {
        return Err(Ending::Limit(format!("{functions} functions (at most {FUNCTIONS_LIMIT} are compiled)")));
    }
    Ok((http && !command).then_some(Kind::Service { tasks }))
}
