//! Runs the kernel named by its first argument: `sha256`, `matrix`, `sort` or `interpreter`.

use std::hint::black_box;

fn main() {
    let result = match std::env::args().nth(1).as_deref() {
        Some("sha256") => sha256(96),
        Some("matrix") => matrix(320),
        Some("sort") => sort(4_000_000),
        Some("interpreter") => interpreter(12_000_000),
        other => panic!("no such kernel: {other:?}"),
    };
    println!("{result:x}");
}

/// Compresses so many mebibytes.
fn sha256(mebibytes: usize) -> u64 {
    let mut state: [u32; 8] = black_box([1, 2, 3, 4, 5, 6, 7, 8]);
    let mut block = [0u32; 16];
    for index in 0..mebibytes << 14 {
        block[index % 16] ^= index as u32;
        compress(&mut state, &block);
    }
    u64::from(state[0]) << 32 | u64::from(state[7])
}

/// The compression function of FIPS 180-4, section 6.2.2, with arithmetic in place of its table of constants.
fn compress(state: &mut [u32; 8], block: &[u32; 16]) {
    let mut w = [0u32; 64];
    w[..16].copy_from_slice(block);
    for t in 16..64 {
        let (x, y) = (w[t - 15], w[t - 2]);
        let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
        let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
        w[t] = w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (t, word) in w.into_iter().enumerate() {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let constant = 0x9e37_79b9u32.wrapping_mul(t as u32 + 1);
        let t1 =
            h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(constant).wrapping_add(word);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *old = old.wrapping_add(new);
    }
}

/// Multiplies two square matrices of this size, eight times.
fn matrix(size: usize) -> u64 {
    let (left, right) = (black_box(vec![1.5f64; size * size]), black_box(vec![0.5f64; size * size]));
    let mut product = vec![0f64; size * size];
    for _ in 0..8 {
        for (row, line) in product.chunks_exact_mut(size).enumerate() {
            for (k, factors) in right.chunks_exact(size).enumerate() {
                let scale = left[row * size + k];
                line.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += scale * factor);
            }
        }
    }
    black_box(product)[size + 1].to_bits()
}

fn sort(count: usize) -> u64 {
    let mut seed = black_box(88_172_645_463_325_252u64);
    let mut numbers: Vec<u64> = (0..count).map(|_| xorshift(&mut seed)).collect();
    numbers.sort_unstable();
    numbers[count / 2]
}

fn xorshift(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[derive(Clone, Copy)]
enum Operation {
    Add(usize, usize),
    Mix(usize, u32),
    Store(usize),
    Load(usize),
    Repeat(usize),
}

/// Steps a small register machine through a loop: branches that are hard to predict, indirect and bounds-checked.
fn interpreter(rounds: u64) -> u64 {
    use Operation::*;
    let program = black_box([
        Load(0),
        Add(0, 1),
        Mix(1, 13),
        Store(1),
        Load(2),
        Add(2, 0),
        Mix(2, 7),
        Store(0),
        Repeat(0),
    ]);
    let (mut registers, mut memory) = ([1u64, 2, 3], vec![7u64; 1024]);
    let (mut next, mut left) = (0, rounds);
    loop {
        match program[next] {
            Add(to, from) => registers[to] = registers[to].wrapping_add(registers[from]),
            Mix(register, by) => registers[register] = registers[register].rotate_left(by) ^ left,
            Store(register) => memory[registers[register] as usize % 1024] = registers[register],
            Load(register) => registers[register] ^= memory[registers[register] as usize % 1024],
            Repeat(to) if left > 0 => {
                left -= 1;
                next = to;
                continue;
            }
            Repeat(_) => return registers.iter().fold(0, |mixed, value| mixed ^ value),
        }
        next += 1;
    }
}
