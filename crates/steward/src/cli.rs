//! The arguments, and nothing else. Without a subcommand, they are those of the old Steward.

pub mod ca;
pub mod records;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The certificate authority that attests
#[derive(Debug, Parser)]
#[command(name = "steward", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The old Steward's flags.
    #[command(flatten)]
    pub old: Old,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve: requests with evidence in, certificates out
    Serve(Serve),
    /// Look at settings
    #[command(subcommand)]
    Config(Config),
    /// Keep an authority: its keys and certificates, over the years
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Read and verify the audit log
    #[command(subcommand)]
    Audit(records::Audit),
    /// Ask the inventory
    #[command(subcommand)]
    Inventory(records::Inventory),
    /// Look at policies before they are in force
    #[command(subcommand)]
    Policy(records::Policy),
    /// Revoke certificates, workloads and chips
    Revoke(records::Revoke),
}

/// Serve
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Settings; a policy file of the old Steward will do too
    #[arg(short, long, value_name = "FILE", env = "STEWARD_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to listen: address:port, unix:/path or systemd; may be repeated
    #[arg(short, long, value_name = "WHERE")]
    pub listen: Vec<String>,
    /// Where administrators get /metrics, /livez and /readyz, in plain HTTP
    #[arg(long, value_name = "WHERE")]
    pub admin: Vec<String>,
    /// Serve with throw-away keys and accept anything: for development only
    #[arg(long)]
    pub dev: bool,
    /// How lines of the log look
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    pub log: Option<String>,
}

/// Look at settings
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Check settings, keys, certificates and policies as `serve` would
    Check {
        /// Settings
        #[arg(short, long, value_name = "FILE", env = "STEWARD_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// The old Steward's flags, still understood
#[derive(Clone, Debug, Default, Args)]
#[group(id = "old")]
#[command(next_help_heading = "Flags of the old Steward (without subcommand)")]
pub struct Old {
    /// Key that signs, as PEM
    #[arg(short, long, value_name = "FILE", env = "STEWARD_KEY", requires = "crt")]
    pub key: Option<PathBuf>,
    /// Its certificate, as PEM
    #[arg(short, long, value_name = "FILE", env = "STEWARD_CRT", requires = "key")]
    pub crt: Option<PathBuf>,
    /// Port
    #[arg(short, long, env = "ROCKET_PORT")]
    pub port: Option<u16>,
    /// Address
    #[arg(short, long, env = "ROCKET_ADDRESS")]
    pub addr: Option<std::net::IpAddr>,
    /// Make a throw-away authority of this name
    #[arg(long, value_name = "NAME", env = "RENDER_EXTERNAL_HOSTNAME", conflicts_with_all = ["key", "crt"])]
    pub host: Option<String>,
    /// One more DNS name for every certificate
    #[arg(long, value_name = "NAME", env = "STEWARD_SAN")]
    pub san: Option<String>,
    /// Policy
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn one_letter_means_what_it_meant_where_it_stood() {
        Cli::command().debug_assert();
        let old = Cli::try_parse_from(["steward", "-k", "ca.key", "-c", "ca.crt"]).expect("old flags").old;
        assert_eq!(old.crt, Some("ca.crt".into()));
        match Cli::try_parse_from(["steward", "serve", "-c", "steward.toml"]).expect("new flags").command {
            Some(Command::Serve(serve)) => assert_eq!(serve.config, Some("steward.toml".into())),
            other => panic!("{other:?}"),
        }
        for wrong in [&["steward", "-k", "x"][..], &["steward", "--host", "x", "-k", "y", "-c", "z"]] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
