//! Prints its arguments and its environment, one a line.

fn main() {
    for (index, argument) in std::env::args().enumerate() {
        println!("args[{index}]={argument}");
    }
    let mut variables: Vec<_> = std::env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        println!("{name}={value}");
    }
}
