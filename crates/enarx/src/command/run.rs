//! `enarx run`: settings → manifest and workload → launch → serve → exit code.

mod directory;
pub(super) mod runtime_image;
mod workload;

use super::config;
use crate::cli::{KeepKind, Run};
use crate::failure::{BROKEN, Failure, REFUSED};
use crate::output::Output;
use crate::settings::{Environment, XDG_CACHE_HOME, XDG_STATE_HOME};
use api::launch::{Ending, Order};
use api::manifest::{FILE_NAME, Manifest};
use directory::Preopened;
use keep::cache::{CacheError, PrivateError, Store};
use keep::launch::{Event, Image, Launch, LaunchError, Step, kvm, process};
use std::error::Error;
use std::path::Path;

/// Most bytes of a file of trust anchors: the web's whole set has a quarter of a megabyte.
const TRUST_LIMIT: u64 = 1 << 20;

/// Runs a workload.
pub fn run(args: Run, environment: &Environment, output: &Output) -> Result<u8, Failure> {
    let workload = workload::open(&args.workload)?;
    let (text, manifest) = match &args.config {
        Some(path) => config::read(path)?,
        None => {
            note_unread_manifest(&args.workload, output);
            (String::new(), Manifest::default())
        }
    };
    if let Some(steward) = &manifest.steward {
        let hint = "remove `steward` to run without this warning";
        let warning = format!(
            "this version cannot ask the steward {steward} to certify the keep: certificates are self-signed, and nobody can tell from them what runs here"
        );
        output.warning(&warning, Some(hint));
    }
    let dirs: Vec<Preopened> = args.dir.iter().map(|text| directory::open(text)).collect::<Result<_, _>>()?;
    let roots = args.trust.as_deref().map(trust_anchors).transpose()?;
    let image = runtime_image::find(args.runtime.as_deref(), environment)?;
    let cache = if args.no_cache { None } else { open_cache(environment, output) };
    let (rules, dirs) = dirs.into_iter().map(|dir| (dir.rule, dir.descriptor)).unzip();
    let order = Order {
        manifest: text,
        args: args.args,
        env: args.env.into_iter().collect(),
        dirs: rules,
        roots,
        cache: cache.is_some(),
        known: cache.as_ref().and_then(|cache| cache.known(&workload)),
    };
    let launch = match args.keep {
        KeepKind::Auto | KeepKind::Process => process::launch,
        KeepKind::Kvm => kvm::launch,
    };
    let launched = launch(Launch {
        image: &image,
        manifest: &manifest,
        order: &order,
        workload,
        dirs,
        cache: cache.as_ref(),
    });
    let keep = launched.map_err(|error| not_launched(&error, &image))?;
    tracing::info!(image = %image.path().display(), confinement = %keep.confinement(), "keep launched");
    ended(keep.run(&mut |event| tell(event, output)))
}

/// A manifest beside the workload is likely meant to be used; reading it unasked could open ports unasked.
fn note_unread_manifest(workload: &Path, output: &Output) {
    let beside = workload.with_file_name(FILE_NAME);
    if beside.is_file() {
        let path = beside.display();
        output.note(&format!("`{path}` is not read; to use it, add `--config {path}`"));
    }
}

fn trust_anchors(path: &Path) -> Result<String, Failure> {
    let unreadable =
        |error: &dyn Error| Failure::refused(format!("cannot read `{}`", path.display())).because(error);
    let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if length > TRUST_LIMIT {
        return Err(Failure::refused(format!(
            "`{}` has {length} bytes, more than the {TRUST_LIMIT} allowed",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let message = format!("`{}` has no certificate", path.display());
        return Err(Failure::refused(message).hint("--trust expects PEM: lines between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`"));
    }
    Ok(text)
}

/// Opens the compile cache; a run does not depend on it.
fn open_cache(environment: &Environment, output: &Output) -> Option<Store> {
    let opened = Store::open(environment.modules.as_ref()?, environment.state.as_ref()?);
    opened
        .inspect_err(|error| {
            let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
            let hint = match error {
                CacheError::Private(PrivateError::Shared { path, .. }) => {
                    format!("`chmod go= {}` makes it yours alone; or pass --no-cache", path.display())
                }
                _ => format!(
                    "set {XDG_CACHE_HOME} and {XDG_STATE_HOME} to directories of yours, or pass --no-cache"
                ),
            };
            output.warning(&format!("the compile cache is not used: {error}{cause}"), Some(&hint));
        })
        .ok()
}

fn tell(event: Event, output: &Output) {
    match event {
        Event::Listening { name, prot, addr } => {
            output.note(&format!("`{name}` listens on {addr} ({})", prot.word()));
        }
        Event::Denied(denial) => {
            let hint = format!("to allow it, add to {FILE_NAME}:\n{}", denial.rule);
            output.warning(&format!("denied: {}", denial.operation), Some(&hint));
        }
        Event::RequestFailed(why) => output.warning(&format!("a request failed: {why}"), None),
        Event::CacheFailed(why) => output.warning(&format!("the compile cache failed: {why}"), None),
    }
}

fn ended(ending: Ending) -> Result<u8, Failure> {
    let code = ending.code();
    let failure = Failure::with_code(code, ending.to_string());
    match ending {
        Ending::Exit(code) => Ok(code),
        Ending::Failed(_) => {
            Err(failure
                .hint("this is a fault of Enarx or of this host, not of the workload; `-v` tells more"))
        }
        Ending::Denied(_) => Err(failure
            .hint("a workload cannot do this by itself: take it for an attempt to escape, or report it")),
        Ending::Trap(_) | Ending::Limit(_) | Ending::BadModule(_) | Ending::Refused(_) => Err(failure),
    }
}

fn not_launched(error: &LaunchError, image: &Image) -> Failure {
    let path = image.path().display();
    let (code, hint) = match error {
        LaunchError::Spawn(spawn) if spawn.step == Step::Execute => (
            REFUSED,
            Some(format!(
                "`{path}` must be a static program for this processor; `cargo xtask image` makes one"
            )),
        ),
        LaunchError::Machine(_) => (
            REFUSED,
            Some(
                "`enarx platform info` tells what is missing; `--keep process` needs no virtual machine"
                    .to_owned(),
            ),
        ),
        _ => (BROKEN, None),
    };
    Failure::with_code(code, error.to_string()).caused(error).maybe_hint(hint)
}
