//! Copies standard input to standard output, and its size to standard error.

fn main() -> std::io::Result<()> {
    let size = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::stdout().lock())?;
    eprintln!("{size} bytes");
    Ok(())
}
