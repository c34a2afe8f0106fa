//! Everything that needs a processor of its own.

mod cpu;
mod entropy;
mod entry;
mod hostcall;
mod lock;
mod memory;
mod platform;
mod signal;
mod start;
mod stop;
mod syscall;
mod thread;
mod time;
mod trap;
mod vdso;
