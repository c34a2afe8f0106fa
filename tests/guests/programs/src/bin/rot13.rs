//! Rotates the letters of standard input by thirteen places.

fn main() -> std::io::Result<()> {
    for line in std::io::stdin().lines() {
        let rotated: String = line?.chars().map(rotate).collect();
        println!("{rotated}");
    }
    Ok(())
}

fn rotate(letter: char) -> char {
    let base = match letter {
        'a'..='z' => b'a',
        'A'..='Z' => b'A',
        _ => return letter,
    };
    char::from((letter as u8 - base + 13) % 26 + base)
}
