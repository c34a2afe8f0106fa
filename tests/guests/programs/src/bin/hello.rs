//! Greets.

fn main() {
    println!("Hello, world!");
}
