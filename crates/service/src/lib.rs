//! What our servers do alike, with no word of what each is for.
//!
//! ```text
//!  sockets ─▶ limits of connections ─▶ TLS ─▶ HTTP ─▶ observe ─▶ limits of requests ─▶ the program's router
//!                                                       │ request id, log line, metrics, problems
//! ```
//!
//! A program fills a [`Settings`](server::Settings) from file, environment and flags ([`settings`]), makes a
//! [`Service`](server::Service), registers its metrics and readiness checks there, and gives it a router. The rest is
//! here: [`listen`] and [`tls`], [`limits`], [`problem`] bodies, [`health`], [`metrics`], [`offload`] for work that would
//! hold up the I/O threads, and the [`lifecycle`] under systemd: readiness, reload, drain. [`audit`] keeps
//! a log whose lines vouch for each other.

pub mod address;
pub mod audit;
pub mod body;
mod connection;
pub mod health;
pub mod lifecycle;
pub mod limits;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod observe;
pub mod offload;
mod pace;
pub mod problem;
pub mod server;
pub mod settings;
pub mod tls;
