//! The YAML that two vectors are written in: maps, lists, numbers, and text in blocks or quotes.

use serde_json::{Map, Value};

/// Reads a document.
pub fn read(text: &str) -> Value {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    value(&mut lines.as_slice(), 0)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The map or list whose lines are indented by at least `least`.
fn value(lines: &mut &[&str], least: usize) -> Value {
    let Some(first) = lines.first().copied().filter(|line| indent(line) >= least) else { return Value::Null };
    let column = indent(first);
    let (mut map, mut list) = (Map::new(), Vec::new());
    while let Some(line) = lines.first().copied().filter(|line| indent(line) == column) {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("- ") {
            let mut items = vec![scalar_or_block(lines, rest.trim_start_matches("- "), column)];
            // "- - 1" opens a list inside the list; its other items are indented.
            if rest.starts_with("- ") {
                if let Value::Array(more) = value(lines, column + 1) {
                    items.extend(more);
                }
                list.push(Value::Array(items));
            } else {
                list.append(&mut items);
            }
        } else if let Some((key, rest)) = line.split_once(':').filter(|_| list.is_empty()) {
            let key = key.to_owned();
            map.insert(key, scalar_or_block(lines, rest.trim(), column));
        } else {
            break;
        }
    }
    if list.is_empty() { Value::Object(map) } else { Value::Array(list) }
}

/// What stands behind a key or a dash, and the lines below it that belong to it.
fn scalar_or_block(lines: &mut &[&str], rest: &str, column: usize) -> Value {
    let rest = rest.to_owned();
    *lines = &lines[1..];
    match rest.as_str() {
        "|" | ">-" => {
            let end = lines.iter().position(|line| indent(line) <= column).unwrap_or(lines.len());
            let (block, tail) = lines.split_at(end);
            *lines = tail;
            let block: Vec<&str> = block.iter().map(|line| line.trim()).collect();
            Value::from(if rest == "|" { block.join("\n") + "\n" } else { block.join(" ") })
        }
        "" if lines.first().is_some_and(|line| line.trim() == "[]") => {
            *lines = &lines[1..];
            Value::Array(Vec::new())
        }
        // A list may stand in the column of its key.
        "" if lines.first().is_some_and(|line| line.trim_start().starts_with("- ")) => value(lines, column),
        "" => value(lines, column + 1),
        other => serde_json::from_str(other).unwrap_or_else(|_| Value::from(other)),
    }
}
