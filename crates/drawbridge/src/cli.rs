//! Arguments.

use api::name::{Repository, User};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The registry that releases workloads only to attested keeps
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Arguments {
    /// The settings' file
    #[arg(short, long, global = true, env = "DRAWBRIDGE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store
    #[arg(long, global = true, value_name = "FOLDER")]
    pub store: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve
    Serve(Serve),
    /// Users
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens, by which people and programs are known
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read every blob again, and compare it with its digest and the index; the server must be stopped
    Fsck {
        /// Remove blobs that the index does not know
        #[arg(long)]
        repair: bool,
    },
    /// Remove what nobody needs; a server does so by itself
    Gc,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen: address:port, unix:/path, or systemd
    #[arg(long, visible_alias = "addr", value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// PEM file with the certificate and its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Speak plain HTTP, for a proxy in front; or to try things out
    #[arg(long, conflicts_with = "cert")]
    pub plain: bool,
}

/// Users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add one
    Add {
        /// Their name
        name: User,
        /// Who the identity provider says they are; without it, their name
        #[arg(long)]
        subject: Option<String>,
        /// Bytes that they may store
        #[arg(long, value_name = "BYTES")]
        quota: Option<u64>,
    },
}

/// Tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make one, and print it: it is kept nowhere
    Create {
        /// Whose it is
        user: User,
        /// The only repository that it is for
        #[arg(long)]
        repository: Option<Repository>,
        /// For reading only
        #[arg(long)]
        read_only: bool,
        /// How long it is good for
        #[arg(long, default_value_t = 90, value_name = "DAYS")]
        days: u32,
    },
    /// End all of a user's
    Revoke {
        /// Whose they are
        user: User,
    },
}
