//! Every key of `Enarx.toml`, and the two variables a workload learns its descriptors from.

/// Variable: how many descriptors the manifest declares.
pub const FD_COUNT: &str = "FD_COUNT";
/// Variable: their names in order, joined by colons.
pub const FD_NAMES: &str = "FD_NAMES";

/// URL of the Steward that certifies the keep.
pub const STEWARD: &str = "steward";
/// Arguments after `argv[0]`.
pub const ARGS: &str = "args";
/// Table of environment variables.
pub const ENV: &str = "env";
/// The workload's descriptors: position is number.
pub const FILES: &str = "files";
/// Table of what the workload may use at most.
pub const LIMITS: &str = "limits";
/// Table of how a `wasi:http` component serves requests.
pub const HTTP: &str = "http";

/// In `files`: what the descriptor is.
pub const KIND: &str = "kind";
/// In `files`: its name in `FD_NAMES`.
pub const NAME: &str = "name";
/// In `files`: transport and protection of a socket.
pub const PROT: &str = "prot";
/// In `files`: local address of a listener.
pub const ADDR: &str = "addr";
/// In `files`: remote name or address of a connection.
pub const HOST: &str = "host";
/// In `files`: port of a socket.
pub const PORT: &str = "port";

/// In `limits`: bytes of all linear memories together.
pub const MEMORY: &str = "memory";
/// In `limits`: elements of all tables together.
pub const TABLE: &str = "table";
/// In `limits`: module instances.
pub const INSTANCES: &str = "instances";
/// In `limits`: bytes of the WebAssembly stack.
pub const STACK: &str = "stack";
/// In `limits`: bytes of the workload's file.
pub const MODULE: &str = "module";
/// In `limits`: bytes written to stdout and stderr.
pub const OUTPUT: &str = "output";
/// In `limits`: wall-clock time from start to end.
pub const DEADLINE: &str = "deadline";
/// In `limits`: WebAssembly operations.
pub const FUEL: &str = "fuel";

/// In `http`: requests one instance serves.
pub const REUSE: &str = "reuse";
/// In `http`: requests in progress at once.
pub const CONCURRENCY: &str = "concurrency";
/// In `http`: wall-clock time for one request.
pub const TIMEOUT: &str = "timeout";

/// Keys at the top of a manifest.
pub const TOP: &[&str] = &[STEWARD, ARGS, ENV, FILES, LIMITS, HTTP];
/// Keys of an entry of `files`, over all kinds.
pub const FILE: &[&str] = &[KIND, NAME, PROT, ADDR, HOST, PORT];
/// Keys of an entry of `files` that is no socket.
pub const STREAM_FILE: &[&str] = &[KIND, NAME];
/// Keys of an entry of `files` of kind `listen`.
pub const LISTEN_FILE: &[&str] = &[KIND, NAME, PROT, ADDR, PORT];
/// Keys of an entry of `files` of kind `connect`.
pub const CONNECT_FILE: &[&str] = &[KIND, NAME, PROT, HOST, PORT];
/// Keys of `limits`.
pub const IN_LIMITS: &[&str] = &[MEMORY, TABLE, INSTANCES, STACK, MODULE, OUTPUT, DEADLINE, FUEL];
/// Keys of `http`.
pub const IN_HTTP: &[&str] = &[REUSE, CONCURRENCY, TIMEOUT];
