//! The text of a settings file: settings or Redis's refusal, and what a rewrite makes of it says
//! the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use node::config::{lines_of_arguments, read, rewrite, rows};

fuzz_target!(|input: (String, Vec<(u16, String)>)| {
    let (mut text, lines) = input;
    let all: Vec<_> = rows().collect();
    for (row, value) in &lines {
        let row = all[usize::from(*row) % all.len()];
        text += &format!("\n{} {value}", row.name);
    }
    let mut files = |_: &str| Ok(vec![String::from("port 1\ninclude again\n")]);
    if let Ok(config) = read(&text, &mut files) {
        let written = rewrite(&config, &text);
        // A file that includes others keeps saying so, and cannot be read without them.
        if let Ok(again) = read(&written, &mut files) {
            for row in &all {
                assert_eq!(config.value(row), again.value(row), "{}: {written:?}", row.name);
            }
        }
    }
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();
    let _ = read(&lines_of_arguments(&words), &mut files);
});
