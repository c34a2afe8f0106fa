//! From text to manifest.

use super::error::{Fault, ManifestError};
use super::table::{Table, Value};
use super::{FILES_LIMIT, File, FileKind, Http, Limits, Manifest, Prot, TEXT_LIMIT, key};
use std::collections::BTreeMap;
use toml::de::DeTable;

/// Smallest WebAssembly stack: below it, ordinary programs trap before they start.
const STACK_LEAST: u64 = 64 << 10;
/// Largest WebAssembly stack.
const STACK_MOST: u64 = 64 << 20;
/// Largest module: offsets in the binary format have 32 bits.
const MODULE_MOST: u64 = u32::MAX as u64;
/// Most bytes of linear memory: what x86-64 and AArch64 user space can address.
const MEMORY_MOST: u64 = 1 << 47;
/// The address a listener takes when it names none: every address, of both families.
const ANY_ADDRESS: &str = "::";

/// Reads a manifest.
pub(super) fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    if text.len() > TEXT_LIMIT {
        return Err(ManifestError::at(text, 0..0, Fault::TextTooLong { found: text.len() }));
    }
    let root = DeTable::parse(text).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        ManifestError::at(text, error.span().unwrap_or(0..0), Fault::Syntax(message))
    })?;
    let top = Table::open(text, &root, key::TOP)?;
    let unsaid = Manifest::default();
    Ok(Manifest {
        steward: top.get(key::STEWARD).map(|value| url(&value)).transpose()?,
        args: top.get(key::ARGS).map_or(Ok(unsaid.args), |value| args(&value))?,
        env: top.get(key::ENV).map_or(Ok(unsaid.env), |value| env(&value))?,
        files: top.get(key::FILES).map_or(Ok(unsaid.files), |value| files(&value))?,
        limits: top.get(key::LIMITS).map_or(Ok(unsaid.limits), |value| limits(&value))?,
        http: top.get(key::HTTP).map_or(Ok(unsaid.http), |value| http(&value))?,
    })
}

/// Any URL with an authority; whether its scheme is good enough is decided where it is used.
fn url(value: &Value<'_>) -> Result<String, ManifestError> {
    let url = value.string()?;
    let scheme_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let well_formed = url.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(scheme_char)
            && !rest.is_empty()
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    });
    if !well_formed {
        return Err(value.refuse("a URL such as \"https://attest.example.com\""));
    }
    Ok(url.to_owned())
}

fn args(value: &Value<'_>) -> Result<Vec<String>, ManifestError> {
    value.array()?.iter().map(Value::c_string).collect()
}

fn env(value: &Value<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let variable = |(name, value): (&str, Value<'_>)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(value.refuse("named by a variable name, which is not empty and has no `=`"));
        }
        Ok((name.to_owned(), value.c_string()?))
    };
    value.map()?.into_iter().map(variable).collect()
}

fn files(value: &Value<'_>) -> Result<Vec<File>, ManifestError> {
    let entries = value.array()?;
    if entries.len() > FILES_LIMIT {
        return Err(value.fault(Fault::TooManyFiles { found: entries.len() }));
    }
    entries.iter().map(file).collect()
}

fn file(entry: &Value<'_>) -> Result<File, ManifestError> {
    let table = entry.table(key::FILE)?;
    let kind = table.require(key::KIND, "an entry of `files`")?;
    let kind = match kind.string()? {
        "null" => stream(&table, FileKind::Null),
        "stdin" => stream(&table, FileKind::Stdin),
        "stdout" => stream(&table, FileKind::Stdout),
        "stderr" => stream(&table, FileKind::Stderr),
        "listen" => listen(&table),
        "connect" => connect(&table),
        _ => Err(kind.refuse("\"null\", \"stdin\", \"stdout\", \"stderr\", \"listen\" or \"connect\"")),
    }?;
    let name = match (&kind, table.get(key::NAME)) {
        (_, Some(name)) => self::name(&name)?,
        (FileKind::Listen { .. }, None) => {
            return Err(entry.fault(missing(key::NAME, "a file of kind `listen`")));
        }
        (FileKind::Connect { host, .. }, None) => host_name(host),
        (kind, None) => kind.word().to_owned(),
    };
    Ok(File { name, kind })
}

/// The name of a connection that was given none: its host, with the colons of an IPv6 address as dashes.
fn host_name(host: &str) -> String {
    host.replace(':', "-")
}

fn name(value: &Value<'_>) -> Result<String, ManifestError> {
    let name = value.c_string()?;
    if name.contains(':') {
        return Err(value.fault(Fault::NameColon));
    }
    Ok(name)
}

fn stream(table: &Table<'_>, kind: FileKind) -> Result<FileKind, ManifestError> {
    table.only(kind.word(), key::STREAM_FILE)?;
    Ok(kind)
}

fn listen(table: &Table<'_>) -> Result<FileKind, ManifestError> {
    table.only("listen", key::LISTEN_FILE)?;
    let prot = prot(table, "a file of kind `listen`")?;
    let addr = match table.get(key::ADDR) {
        Some(addr) => non_empty(&addr)?,
        None => ANY_ADDRESS.to_owned(),
    };
    Ok(FileKind::Listen { prot, addr, port: port(table, prot, 0)? })
}

fn connect(table: &Table<'_>) -> Result<FileKind, ManifestError> {
    table.only("connect", key::CONNECT_FILE)?;
    let place = "a file of kind `connect`";
    let host = non_empty(&table.require(key::HOST, place)?)?;
    let prot = prot(table, place)?;
    Ok(FileKind::Connect { prot, host, port: port(table, prot, 1)? })
}

fn non_empty(value: &Value<'_>) -> Result<String, ManifestError> {
    let string = value.c_string()?;
    if string.is_empty() {
        return Err(value.refuse("a name or an address"));
    }
    Ok(string)
}

fn prot(table: &Table<'_>, place: &str) -> Result<Prot, ManifestError> {
    let value = table.require(key::PROT, place)?;
    match value.string()? {
        "tls" => Ok(Prot::Tls),
        "tcp" => Ok(Prot::Tcp),
        "udp" => Ok(Prot::Udp),
        _ => Err(value.refuse("\"tls\", \"tcp\" or \"udp\"")),
    }
}

fn port(table: &Table<'_>, prot: Prot, least: u16) -> Result<u16, ManifestError> {
    match (table.get(key::PORT), prot.default_port()) {
        (Some(value), _) => narrow(value.integer(least.into(), u16::MAX.into())?, &value),
        (None, Some(port)) => Ok(port),
        (None, None) => {
            let value = table.require(key::PORT, "a file of `prot = \"udp\"`")?;
            narrow(value.integer(least.into(), u16::MAX.into())?, &value)
        }
    }
}

fn limits(value: &Value<'_>) -> Result<Limits, ManifestError> {
    let table = value.table(key::IN_LIMITS)?;
    let get = |key| table.get(key);
    let unsaid = Limits::default();
    Ok(Limits {
        memory: get(key::MEMORY).map_or(Ok(unsaid.memory), |v| v.size(0, MEMORY_MOST))?,
        table: get(key::TABLE).map_or(Ok(unsaid.table), |v| v.integer(0, u32::MAX.into()))?,
        instances: get(key::INSTANCES).map_or(Ok(unsaid.instances), |v| v.integer(1, u32::MAX.into()))?,
        stack: get(key::STACK).map_or(Ok(unsaid.stack), |v| v.size(STACK_LEAST, STACK_MOST))?,
        module: get(key::MODULE).map_or(Ok(unsaid.module), |v| v.size(1, MODULE_MOST))?,
        output: get(key::OUTPUT).map(|v| v.size(0, u64::MAX)).transpose()?,
        deadline: get(key::DEADLINE).map(|v| v.duration()).transpose()?,
        fuel: get(key::FUEL).map(|v| v.integer(1, u64::MAX)).transpose()?,
    })
}

fn http(value: &Value<'_>) -> Result<Http, ManifestError> {
    let table = value.table(key::IN_HTTP)?;
    let unsaid = Http::default();
    let count = |key, unsaid| match table.get(key) {
        Some(value) => narrow(value.integer(1, u32::MAX.into())?, &value),
        None => Ok(unsaid),
    };
    Ok(Http {
        reuse: count(key::REUSE, unsaid.reuse)?,
        concurrency: count(key::CONCURRENCY, unsaid.concurrency)?,
        timeout: table.get(key::TIMEOUT).map_or(Ok(unsaid.timeout), |v| v.duration())?,
    })
}

/// A number already checked to fit.
fn narrow<N: TryFrom<u64>>(number: u64, value: &Value<'_>) -> Result<N, ManifestError> {
    N::try_from(number).map_err(|_| value.refuse("a smaller number"))
}

fn missing(key: &'static str, place: &str) -> Fault {
    Fault::MissingKey { key, place: place.to_owned() }
}
