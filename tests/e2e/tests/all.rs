//! Every end-to-end test, by topic; one program, so that what they run is built once.

mod cache;
mod components;
mod config;
mod errors;
mod examples;
mod exit;
mod files;
mod http;
mod limits;
mod run;
mod sockets;
mod stdio;
mod tls;
