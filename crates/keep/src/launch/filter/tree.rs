//! Answers to system calls that depend on their number alone, as a binary search in classic BPF.
//!
//! When a filter is installed the kernel runs it for every call there is, to remember those it always allows
//! (kernel/seccomp.c, `seccomp_cache_prepare`). Over a list of 150 comparisons that takes a quarter of a millisecond
//! at the start of every keep; over a tree, next to nothing.

use crate::sys::spawn::Instruction;

/// Longest run of numbers that is compared one by one.
const RUN: usize = 3;

/// Where the kernel puts a call's number and architecture (linux/seccomp.h, `struct seccomp_data`).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// This processor's architecture as the kernel tells it to filters (linux/audit.h, `AUDIT_ARCH_*`).
#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xC000_00B7;
#[cfg(target_arch = "riscv64")]
const OURS: u32 = 0xC000_00F3;

/// A program that returns the answer of each call listed, sorted by number; others go on behind its end.
pub(super) fn compile(answers: &[(u32, u32)]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, ARCHITECTURE),
        // Calls of another architecture have other numbers.
        Instruction { jt: 1, ..instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, OURS) },
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, NUMBER),
    ];
    program.extend(search(answers));
    program
}

/// Instructions that return the answer of the call whose number is loaded, or fall out at their end.
fn search(answers: &[(u32, u32)]) -> Vec<Instruction> {
    if answers.len() <= RUN {
        let compare = |call| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, call);
        return answers.iter().flat_map(|&(call, result)| [compare(call), answer(result)]).collect();
    }
    let (lower, upper) = answers.split_at(answers.len() / 2);
    let (first, lower, upper) = (upper[0].0, search(lower), search(upper));
    let mut program =
        vec![instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, first), skip(lower.len() + 1)];
    program.extend(lower);
    program.push(skip(upper.len()));
    program.extend(upper);
    program
}

/// An instruction that, if it compares, skips `unless` instructions when the comparison fails.
const fn instruction(code: u32, unless: u8, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: unless, k }
}

const fn answer(result: u32) -> Instruction {
    instruction(libc::BPF_RET | libc::BPF_K, 0, result)
}

const fn skip(instructions: usize) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, instructions as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program answers to a call, and none if it falls out at its end.
    fn ask(program: &[Instruction], architecture: u32, number: u32) -> Option<u32> {
        let (mut at, mut loaded) = (0, 0);
        while let Some(&Instruction { code, jt, jf, k }) = program.get(at) {
            at += 1;
            let jump = |holds| usize::from(if holds { jt } else { jf });
            match u32::from(code) {
                c if c == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    loaded = if k == NUMBER { number } else { architecture }
                }
                c if c == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => at += jump(loaded == k),
                c if c == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => at += jump(loaded >= k),
                c if c == libc::BPF_JMP | libc::BPF_JA => at += k as usize,
                c if c == libc::BPF_RET | libc::BPF_K => return Some(k),
                other => panic!("instruction {other:#x}"),
            }
        }
        assert_eq!(at, program.len(), "jumped beyond the end");
        None
    }

    #[test]
    fn every_number_finds_its_answer() {
        for length in 0..200 {
            let answers: Vec<(u32, u32)> = (0..length).map(|n| (n * 3 + 1, n + 1000)).collect();
            let program = compile(&answers);
            for number in 0..length * 3 + 2 {
                let expected = answers.iter().find(|(call, _)| *call == number).map(|(_, result)| *result);
                assert_eq!(ask(&program, OURS, number), expected, "{number} of {length}");
            }
            assert_eq!(ask(&program, OURS, u32::MAX), None);
            // The calls of x32 have this bit (asm/unistd.h, `__X32_SYSCALL_BIT`).
            assert_eq!(ask(&program, OURS, 1 | 0x4000_0000), None);
            assert_eq!(ask(&program, 0x4000_0003, 1), Some(libc::SECCOMP_RET_KILL_PROCESS));
        }
    }
}
