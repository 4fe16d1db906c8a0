//! Budgets: lines of a function and of a file, fields of a struct, columns of a line.
//!
//! Short comes naturally; where it does not, something wants a name of its own.

use super::Finding;
use super::source::{Source, closing};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 800;
const STRUCT_FIELDS: usize = 15;
const COLUMNS: usize = 100;

/// Flat lists: long, but there is nothing in them to understand twice.
const LISTS: &str = "crates/wire/src/command/rows/";

/// Checks the budgets.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS {
            let message = format!("{columns} columns, not {COLUMNS}");
            findings.push(Finding::new(source, "columns", index + 1, message));
        }
    }
    if source.path.starts_with(LISTS) {
        return;
    }
    let lines = source.product_lines();
    if lines > FILE_LINES {
        let message = format!("{lines} lines, not {FILE_LINES}");
        findings.push(Finding::new(source, "file-lines", 0, message).sized(lines));
    }
    for (name, line, lines) in functions(source) {
        if lines > FUNCTION_LINES {
            let message = format!("fn {name} has {lines} lines, not {FUNCTION_LINES}");
            findings.push(Finding::new(source, "function-lines", line, message).sized(lines));
        }
    }
    for (name, line, fields) in structs(source) {
        if fields > STRUCT_FIELDS {
            let message = format!("struct {name} has {fields} fields, not {STRUCT_FIELDS}");
            findings.push(Finding::new(source, "struct-fields", line, message).sized(fields));
        }
    }
}

/// Name, first line and length of every function with a body.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for at in source.find_word("fn") {
        let Some((name, open)) = item(&source.code, at + 2, true) else { continue };
        let first = source.line_of(at);
        let last = source.line_of(closing(&source.code, open) - 1);
        found.push((name, first, last - first + 1));
    }
    found
}

/// Name, line and number of fields of every struct with named fields.
fn structs(source: &Source) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for at in source.find_word("struct") {
        let Some((name, open)) = item(&source.code, at + 6, false) else { continue };
        let body = &source.code[open + 1..closing(&source.code, open) - 1];
        found.push((name, source.line_of(at), parts(body)));
    }
    found
}

/// The name that follows a keyword and where the braces of its item open. A tuple struct and a
/// function without a body have none.
fn item(code: &str, after: usize, parameters: bool) -> Option<(&str, usize)> {
    let start = after + code[after..].find(|c: char| !c.is_whitespace())?;
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let length = code[start..].find(|c: char| !in_name(c))?;
    if length == 0 {
        return None;
    }
    let mut at = start + length;
    loop {
        match code.as_bytes().get(at)? {
            b'{' => return Some((&code[start..start + length], at)),
            b';' => return None,
            b'(' if !parameters && !code[start..at].contains("where") => return None,
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
}

/// How many parts the commas of a list separate, those inside brackets aside.
pub(crate) fn parts(list: &str) -> usize {
    let mut depth = 0i32;
    let mut count = 0;
    let mut empty = true;
    let mut previous = ' ';
    for c in list.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if previous != '-' && previous != '=' => depth -= 1,
            ',' if depth == 0 => {
                count += usize::from(!empty);
                empty = true;
                previous = c;
                continue;
            }
            _ => {}
        }
        empty = empty && c.is_whitespace();
        previous = c;
    }
    count + usize::from(!empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_fields_are_counted() {
        let text = "//! x\npub(crate) fn a<T>(x: [u8; 2]) -> T\nwhere\n    T: Fn(u8),\n\
                    {\n    b()\n}\n\
                    trait B { fn c(); }\ntype D = fn(u8);\n\
                    struct E<T> { f: Vec<(u8, T)>, pub g: fn(u8) -> u8, }\n\
                    struct H(u8, u8);\n";
        let source = Source::new("crates/x/src/y.rs", text.to_string());
        assert_eq!(functions(&source), [("a", 2, 6)]);
        assert_eq!(structs(&source), [("E", 10, 2)]);
    }
}
