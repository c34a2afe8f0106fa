//! The arguments of `steward ca`.

use crate::ca::Curve;
use crate::issue::Grade;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Keep an authority
#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make a folder with a root, and an issuing key below it
    Init {
        /// The folder
        folder: PathBuf,
        /// Whose authority it is
        #[arg(long)]
        name: String,
        /// What its certificates are good for
        #[arg(long, value_enum, default_value_t = Grade::Production)]
        grade: Grade,
        /// The curve of its keys
        #[arg(long, value_enum, default_value_t = Curve::P384)]
        curve: Curve,
        /// Make the keys in this token: pkcs11:token=LABEL?module-path=FILE&pin-source=SOURCE
        #[arg(long, value_name = "ADDRESS")]
        token: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make another issuing key below the newest root
    Intermediate(Step),
    /// Make another root that the present one certifies, and an issuing key below it
    Rotate(Step),
    /// Show what a folder holds, and what of it is valid
    Inspect {
        /// The folder
        folder: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A step in the life of an authority
#[derive(Debug, Args)]
pub struct Step {
    /// The folder
    pub folder: PathBuf,
    /// Where the present root's key is, if it is not in the folder: a file, env:NAME, credential:NAME or pkcs11:…
    #[arg(long, value_name = "KEY")]
    pub root_key: Option<String>,
    /// Make new keys in this token
    #[arg(long, value_name = "ADDRESS")]
    pub token: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
