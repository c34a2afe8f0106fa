//! Hostile WebAssembly, made rather than compiled.

use wasm_encoder::{CodeSection, Function, FunctionSection, Instruction, Module, TypeSection};

/// A valid module of so many functions that do nothing.
pub fn many_functions(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    let mut empty = Function::new([]);
    empty.instruction(&Instruction::End);
    for _ in 0..count {
        functions.function(0);
        code.function(&empty);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// The text of a module whose `_start` runs these instructions, with one page of memory and the imports
/// `proc_exit` and `fd_write`.
pub fn start(instructions: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "_start") {instructions}))"#
    )
}
