//! The text of files and flags: lines of a name and its words.

use super::{Config, hint};

/// How deep files may include one another.
const DEPTH: usize = 16;

/// Finds the files that an `include` names, and what is in them.
type Open<'o> = &'o mut dyn FnMut(&str) -> Result<Vec<String>, String>;

/// Settings while they are read.
#[derive(Default)]
struct Reader {
    config: Config,
    /// Save points so far: unlike other directives, each `save` adds to those before it.
    save: Vec<String>,
    depth: usize,
}

/// The settings that a text means; `include` asks `open` for its files.
///
/// # Errors
/// The block that Redis prints about a line it refuses, and a line on what may have been meant.
pub fn read(
    text: &str,
    open: &mut dyn FnMut(&str) -> Result<Vec<String>, String>,
) -> Result<Config, String> {
    let mut reader = Reader::default();
    reader.text(text, open)?;
    Ok(reader.config)
}

/// The arguments of redis-server after the file's name, as lines of a file. `-` at the end stands
/// for standard input, and is the caller's business.
pub fn lines_of_arguments(args: &[String]) -> String {
    let mut text = String::new();
    // The word after a name is its value, whatever it begins with.
    let mut value_next = false;
    for (index, arg) in args.iter().enumerate() {
        let next = args.get(index + 1);
        match arg.strip_prefix("--") {
            Some(name) if !value_next => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(name);
                text.push(' ');
                let alone = name.split_whitespace().count() == 1;
                let another = next.is_none_or(|next| next.starts_with("--"));
                value_next = alone;
                if alone && another && name.trim().eq_ignore_ascii_case("save") {
                    text.push_str("\"\"");
                    value_next = false;
                }
            }
            _ => {
                let mut quoted = Vec::new();
                wire::words::quote(arg.as_bytes(), &mut quoted);
                text.push_str(&String::from_utf8_lossy(&quoted));
                text.push(' ');
                value_next = false;
            }
        }
    }
    text
}

impl Reader {
    fn text(&mut self, text: &str, open: Open<'_>) -> Result<(), String> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_matches([' ', '\t', '\r', '\n']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let refuse = |why: &str, hint: Option<String>| fatal(index + 1, line, why, hint);
            let words = wire::words::split(line.as_bytes())
                .map_err(|_| refuse("Unbalanced quotes in configuration line", None))?;
            let words: Vec<String> =
                words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let Some((name, values)) = words.split_first() else { continue };
            if name.eq_ignore_ascii_case("include") && values.len() == 1 {
                self.include(values[0], open)?;
                continue;
            }
            if name.eq_ignore_ascii_case("rename-command")
                && let [old, new] = values
            {
                let renamed = self.config.process.renames.add(old, new);
                renamed.map_err(|why| refuse(&why, None))?;
                continue;
            }
            if let Err(why) = self.apply(name, values) {
                return Err(refuse(&why, hint::hint(&name.to_ascii_lowercase(), values)));
            }
        }
        Ok(())
    }

    fn include(&mut self, pattern: &str, open: Open<'_>) -> Result<(), String> {
        if self.depth == DEPTH {
            return Err(format!("Fatal error, '{pattern}' is included {DEPTH} files deep"));
        }
        self.depth += 1;
        for text in open(pattern)? {
            self.text(&text, open)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        self.config.apply(name, words)?;
        if !name.eq_ignore_ascii_case("save") {
            return Ok(());
        }
        match words {
            [""] => self.save.clear(),
            words => self.save.extend(words.iter().map(|word| String::from(*word))),
        }
        self.config.apply(name, &[&self.save.join(" ")])
    }
}

/// A refused directive, in the block that Redis prints.
fn fatal(number: usize, line: &str, why: &str, hint: Option<String>) -> String {
    let hint = hint.map_or_else(String::new, |hint| format!("\ndid you mean '{hint}'?"));
    format!(
        "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***\n\
         Reading the configuration file, at line {number}\n>>> '{line}'\n{why}{hint}",
        crate::REDIS_VERSION
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> String {
        lines_of_arguments(&words.iter().map(|word| String::from(*word)).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_become_lines() {
        assert_eq!(
            arguments(&["--port", "1", "--bind", "a", "b"]),
            "port \"1\" \nbind \"a\" \"b\" "
        );
        assert_eq!(arguments(&["--save", "--port", "1"]), "save \"\"\nport \"1\" ");
        assert_eq!(arguments(&["--save"]), "save \"\"");
        assert_eq!(arguments(&["--requirepass", "--x"]), "requirepass \"--x\" ");
        assert_eq!(arguments(&["-slaveof", "a"]), "\"-slaveof\" \"a\" ");
    }

    #[test]
    fn files_include_others_and_repeat_directives() {
        let text = "save 9 1\nINCLUDE other\nsave 8 2\n\
                    client-output-buffer-limit pubsub 1mb 2 3\nslave-priority 7\n";
        let mut open = |name: &str| match name {
            "other" => Ok(vec![String::from("save 7 3\nport 1")]),
            _ => Err(String::from("none")),
        };
        let config = read(text, &mut open).unwrap();
        assert_eq!((config.save.as_str(), config.port), ("9 1 7 3 8 2", 1));
        assert_eq!(config.clients.output.pubsub.hard, 1 << 20);
        assert_eq!(config.clients.output.replica.hard, 256 << 20);
        assert_eq!(config.value(super::super::find("replica-priority").unwrap()), "7");
        let mut round = |_: &str| Ok(vec![String::from("include x")]);
        assert!(read("include x", &mut round).is_err());
    }
}
