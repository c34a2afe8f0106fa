//! What the program does, one file for each noun.

mod maintain;
mod people;
mod serve;

use crate::cli::{Arguments, Command};
use crate::configuration::{Configuration, PREFIX};
use crate::store::StoreError;
use service::server::ServeError;
use service::settings::{SettingsError, Sources};
use std::process::ExitCode;
use toml::{Table, Value};

/// What `main` alone can know.
#[derive(Clone)]
pub struct World {
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Seconds since 1970.
    pub clock: fn() -> i64,
    /// Fills with random bytes.
    pub random: fn(&mut [u8]),
}

/// Why the program ends without having done what it was told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings are not understood.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store cannot be opened, or failed.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The server cannot start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The record of releases cannot be kept.
    #[error("the record of releases: {0}")]
    Audit(#[from] service::audit::AuditError),
    /// Something else that the caller can mend.
    #[error("{0}")]
    Usage(String),
    /// The system failed.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl Failure {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Settings(error) => error.hint(),
            Self::Store(StoreError::InUse) => {
                Some("stop the server, or name another folder with --store".into())
            }
            _ => None,
        }
    }
}

/// Does what the arguments say.
pub fn run(arguments: Arguments, world: &World) -> Result<ExitCode, Failure> {
    let configuration = configuration(&arguments, world)?;
    let work = async {
        match arguments.command {
            Command::Serve(_) => serve::serve(configuration, world).await,
            Command::User(command) => people::user(command, &configuration, world).await,
            Command::Token(command) => people::token(command, &configuration, world).await,
            Command::Fsck { repair } => maintain::fsck(&configuration, repair).await,
            Command::Gc => maintain::collect(&configuration, world).await,
        }
    };
    service::lifecycle::block_on(work)?
}

fn configuration(arguments: &Arguments, world: &World) -> Result<Configuration, Failure> {
    let mut flags = Table::new();
    if let Some(store) = &arguments.store {
        flags.insert("store".into(), Value::String(store.display().to_string()));
    }
    if let Command::Serve(serve) = &arguments.command {
        let mut server = Table::new();
        if !serve.listen.is_empty() {
            server.insert(
                "listen".into(),
                Value::Array(serve.listen.iter().cloned().map(Value::String).collect()),
            );
        }
        if let (Some(certificate), Some(key)) = (&serve.cert, &serve.key) {
            let tls = [("certificate", certificate), ("key", key)];
            let tls = tls.map(|(name, path)| (name.to_owned(), Value::String(path.display().to_string())));
            server.insert("tls".into(), Value::Table(tls.into_iter().collect()));
        }
        flags.insert("server".into(), Value::Table(server));
    }
    let sources = Sources {
        file: None,
        prefix: PREFIX,
        reserved: &["DRAWBRIDGE_CONFIG"],
        environment: world.environment.clone(),
        flags,
    };
    let sources = match &arguments.config {
        Some(path) => sources.read(path)?,
        None => sources,
    };
    let configuration: Configuration = sources.load()?;
    if let Command::Serve(serve) = &arguments.command
        && configuration.server.tls.is_none()
        && !serve.plain
    {
        return Err(Failure::Usage(
            "expected --cert and --key, or --plain for plain HTTP, found neither".into(),
        ));
    }
    Ok(configuration)
}

/// Data for the caller, on standard output.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
