//! What the environment tells: every variable Enarx reads, and the directories they lead to.

use std::ffi::OsString;
use std::path::PathBuf;

/// Path of the runtime image, unless `--runtime` names one.
pub const ENARX_RUNTIME: &str = "ENARX_RUNTIME";
/// What is logged, as directives of `tracing` such as `debug` or `keep=trace`; overrides `-v`.
pub const ENARX_LOG: &str = "ENARX_LOG";
/// If set and not empty, no colours (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";
/// If set and not `0`, colours even where nobody looks (bixense.com/clicolors).
pub const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
/// Where caches are kept, instead of `~/.cache` (XDG Base Directory Specification 0.8).
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
/// Where state is kept, instead of `~/.local/state` (XDG Base Directory Specification 0.8).
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// The user's home directory.
pub const HOME: &str = "HOME";

/// The environment, read once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// [`ENARX_RUNTIME`].
    pub runtime: Option<PathBuf>,
    /// [`ENARX_LOG`].
    pub log: Option<String>,
    /// Whether [`NO_COLOR`] asks for none.
    pub no_color: bool,
    /// Whether [`CLICOLOR_FORCE`] asks for some.
    pub force_color: bool,
    /// Where compiled workloads are kept; none: nowhere.
    pub modules: Option<PathBuf>,
    /// Where endorsements are kept; none: nowhere.
    pub endorsements: Option<PathBuf>,
    /// The time of day, in seconds since 1970.
    pub now: u64,
    /// Where the cache's secret is kept; none: nowhere.
    pub state: Option<PathBuf>,
    /// The program's own path.
    pub program: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let get = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let home = get(HOME).map(PathBuf::from);
        // A relative path in these variables is invalid and to be ignored, says the specification.
        let absolute = |name| get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = |name, default| absolute(name).or_else(|| Some(home.as_ref()?.join(default)));
        Self {
            runtime: get(ENARX_RUNTIME).map(PathBuf::from),
            log: get(ENARX_LOG).and_then(|value| value.into_string().ok()),
            no_color: get(NO_COLOR).is_some(),
            force_color: get(CLICOLOR_FORCE).is_some_and(|value| value != "0"),
            modules: base(XDG_CACHE_HOME, ".cache").map(|path| path.join("enarx/modules")),
            endorsements: base(XDG_CACHE_HOME, ".cache").map(|path| path.join("enarx/endorsements")),
            now: now(),
            state: base(XDG_STATE_HOME, ".local/state").map(|path| path.join("enarx")),
            program: std::env::current_exe().ok(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "main reads the clock once, with the rest of the environment")]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
