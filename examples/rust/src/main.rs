//! Prints numbers of the Fibonacci sequence: those at the indices given as arguments, or asked for.

use std::io::stdin;

fn main() {
    println!("Hello from Rust");
    let indices: Vec<String> = std::env::args().skip(1).collect();
    if indices.is_empty() {
        println!("Enter a non-negative number:");
        stdin().lines().map_while(Result::ok).for_each(|line| tell(&line));
    }
    indices.iter().for_each(|index| tell(index));
}

fn tell(index: &str) {
    match index.trim().parse().ok().and_then(fibonacci) {
        Some(number) => println!("Fibonacci sequence number at index {} is {number}", index.trim()),
        None => println!("`{}` is not an index from 0 to 186", index.trim()),
    }
}

/// The number at this index; none if it has more than 128 bits.
fn fibonacci(index: u32) -> Option<u128> {
    let (mut last, mut number) = (0u128, 1u128);
    for _ in 0..index {
        (last, number) = (number, last.checked_add(number)?);
    }
    Some(last)
}
