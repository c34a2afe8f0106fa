//! Runs real WebAssembly in the real programs, and looks at what a user would see.
//!
//! * [`programs`] – builds, once per process, what the tests run.
//! * [`run`] – one `enarx run`: what it is given, and how it ended.
//! * [`peers`] – clients and servers that keeps talk to.
//! * [`modules`] – hostile WebAssembly, made rather than compiled.
//! * [`tools`] – programs that a test needs and a machine may lack.
//!
//! Tests wait for events, each with a deadline; nothing here sleeps.

pub mod modules;
pub mod peers;
pub mod programs;
pub mod run;

pub mod tools;

mod pattern;
