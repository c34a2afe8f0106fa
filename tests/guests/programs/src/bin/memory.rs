//! Takes memory and gives it back: once 16 MB, then blocks of 1 B to 32 MiB, many of the largest, and down again.

fn main() {
    let spike: Vec<u8> = Vec::with_capacity(16_000_000);
    assert_eq!(std::hint::black_box(spike).capacity(), 16_000_000);
    (0..=25).for_each(touch);
    (0..100).for_each(|_| touch(25));
    (0..=25).rev().for_each(touch);
}

/// Writes the last byte of a block of 2^n bytes.
fn touch(exponent: u32) {
    let mut block = Vec::<u8>::with_capacity(1 << exponent);
    block.spare_capacity_mut()[(1 << exponent) - 1].write(1);
    std::hint::black_box(block);
}
