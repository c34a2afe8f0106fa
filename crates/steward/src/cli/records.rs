//! The arguments of what is kept: audit log, inventory, revocations, policies.

use std::path::PathBuf;

use attest::time::Time;
use clap::{Args, Subcommand, ValueEnum};
use service::audit::Head;

use crate::inventory::Filter;
use crate::inventory::export::Format;
use crate::inventory::revoked::Kind;

/// Which settings a command goes by.
#[derive(Clone, Debug, Default, Args)]
pub struct Configured {
    /// Settings, as `serve` reads them
    #[arg(short, long, value_name = "FILE", env = "STEWARD_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Read and verify the audit log
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Verify that no line was changed, removed or added
    Verify {
        /// The log
        #[command(flatten)]
        log: Where,
        /// A head that was recorded elsewhere, as `42:5e3f…`; the log must hold it; may be repeated
        #[arg(long, value_name = "HEAD")]
        head: Vec<Head>,
        /// The head that removed older files ended with
        #[arg(long, value_name = "HEAD")]
        after: Option<Head>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify, and print the head, to be recorded elsewhere
    Head {
        /// The log
        #[command(flatten)]
        log: Where,
    },
    /// Print verified lines
    Show {
        /// The log
        #[command(flatten)]
        log: Where,
        /// Only lines of this kind, as `certificate.issued`
        #[arg(long)]
        kind: Option<String>,
        /// Only lines from this number on
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
    },
}

/// A log: of the settings, or of a directory.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// The directory of the log, instead of the one of the settings
    #[arg(value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// The settings.
    #[command(flatten)]
    pub configured: Configured,
}

/// Ask the inventory
#[derive(Debug, Subcommand)]
pub enum Inventory {
    /// Decisions, newest first
    List {
        /// The database
        #[command(flatten)]
        database: Database,
        /// Which
        #[command(flatten)]
        filter: Box<Filter>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One decision, by its id or by its certificate's serial number
    Show {
        /// The database
        #[command(flatten)]
        database: Database,
        /// Which
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Every decision that the filter names
    Export {
        /// The database
        #[command(flatten)]
        database: Database,
        /// Which
        #[command(flatten)]
        filter: Box<Filter>,
        /// How it is written
        #[arg(long, default_value = "csv")]
        format: Format,
        /// Where to, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Remove decisions whose certificates expired before a time, and refusals from before it
    Purge {
        /// The database
        #[command(flatten)]
        database: Database,
        /// The time, as YYYY-MM-DDTHH:MM:SSZ
        #[arg(long, value_name = "TIME", value_parser = time)]
        before: Time,
    },
}

/// A database: of the settings, or by its address.
#[derive(Clone, Debug, Default, Args)]
pub struct Database {
    /// The database, instead of the one of the settings
    #[arg(long, value_name = "URL", env = "STEWARD_DATABASE")]
    pub database: Option<String>,
    /// The settings.
    #[command(flatten)]
    pub configured: Configured,
}

/// Revoke certificates, workloads and chips
#[derive(Debug, Args)]
pub struct Revoke {
    /// Where revocations are kept
    #[command(flatten)]
    pub kept: Kept,
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

/// Where revocations are kept: as the settings say, or as named.
#[derive(Clone, Debug, Args)]
pub struct Kept {
    /// A file of revocations, instead of what the settings name
    #[arg(long, value_name = "FILE", global = true)]
    pub file: Option<PathBuf>,
    /// The database, instead of the one of the settings
    #[arg(long, value_name = "URL", env = "STEWARD_DATABASE", global = true)]
    pub database: Option<String>,
    /// Settings, as `serve` reads them
    #[arg(short, long, value_name = "FILE", env = "STEWARD_CONFIG", global = true)]
    pub config: Option<PathBuf>,
}

/// What to do with revocations.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Revoke one certificate
    Serial(Because),
    /// Revoke every certificate of a workload, and issue no more
    Workload(Because),
    /// Revoke every certificate of a chip or platform, and issue no more
    Chip(Because),
    /// What is revoked
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a revocation back
    Undo {
        /// What the value is
        kind: Kind,
        /// The value, in hexadecimal
        value: String,
    },
}

/// What is revoked, and why.
#[derive(Debug, Args)]
pub struct Because {
    /// The serial number, digest or identifier, in hexadecimal
    pub value: String,
    /// Why, for machines
    #[arg(long, default_value = "unspecified")]
    pub cause: CauseWord,
    /// Why, for people
    #[arg(long, default_value = "")]
    pub note: String,
}

/// The causes of revocation.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub enum CauseWord {
    Unspecified,
    KeyCompromise,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

/// Look at policies before they are in force
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Check that policies can be used, and print their digests
    Check {
        /// Files, or the names of shipped profiles
        #[arg(required = true, value_name = "POLICY")]
        policies: Vec<String>,
    },
    /// Every rule of a policy with its value, and how it differs from a shipped profile
    Explain {
        /// A file, or the name of a shipped profile
        policy: String,
        /// The profile to compare with
        #[arg(long, default_value = "strict")]
        beside: String,
    },
    /// Judge stored evidence
    Test {
        /// A file, or the name of a shipped profile
        policy: String,
        /// Files with evidence, or directories of such files
        #[arg(required = true, value_name = "EVIDENCE")]
        evidence: Vec<PathBuf>,
        /// With what
        #[command(flatten)]
        with: With,
        /// Print every check
        #[arg(long)]
        explain: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare two policies: their rules, and which certificates the new one would refuse
    Diff {
        /// The policy in force
        old: String,
        /// The policy to come
        new: String,
        /// Files with evidence to judge by both, or directories of such files
        #[arg(value_name = "EVIDENCE")]
        evidence: Vec<PathBuf>,
        /// Judge the evidence of every certificate that is valid, from the inventory of the settings or of `--database`
        #[arg(long)]
        inventory: bool,
        /// With what
        #[command(flatten)]
        with: With,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What evidence is judged with.
#[derive(Clone, Debug, Args)]
pub struct With {
    /// Endorsements, besides those of the settings: a file or a directory
    #[arg(long, value_name = "PATH")]
    pub endorsements: Option<PathBuf>,
    /// The time of judgement; now, or for the inventory the time of each decision
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Time>,
    /// The database
    #[command(flatten)]
    pub database: Database,
}

fn time(text: &str) -> Result<Time, &'static str> {
    Time::from_rfc3339(text).ok_or("a time is written as YYYY-MM-DDTHH:MM:SSZ")
}
