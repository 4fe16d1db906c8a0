//! What the operator sees, and is asked.

use super::arguments::Manner;
use std::io::{self, BufRead, IsTerminal, Write};

/// Where talk goes, and in which colours.
pub(super) struct Talk {
    manner: Manner,
    colours: bool,
}

impl Talk {
    pub(super) fn new(manner: Manner) -> Self {
        let xterm = std::env::var("TERM").is_ok_and(|term| term.contains("xterm"));
        Talk { manner, colours: xterm && !manner.json && io::stdout().is_terminal() }
    }

    /// Whether progress can be drawn over and over.
    pub(super) fn draws(&self) -> bool {
        !self.manner.json && io::stdout().is_terminal()
    }

    /// A line; how it begins says how it is meant.
    pub(super) fn line(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        let colour = match text.trim_start() {
            _ if !self.colours => "",
            text if text.starts_with(">>>") => "29;1m",
            text if text.starts_with("[OK]") => "32;1m",
            text if text.starts_with("[ERR]") => "31;1m",
            text if text.starts_with("***") || text.starts_with("[WARNING]") => "33;1m",
            _ => "",
        };
        match colour {
            "" => self.part(&format!("{text}\n")),
            colour => self.part(&format!("\x1b[{colour}{text}\n\x1b[0m")),
        }
    }

    /// Something without an end of line, shown at once.
    pub(super) fn part(&self, text: &str) {
        if self.manner.json {
            eprint!("{text}");
        } else {
            print!("{text}");
            // What cannot be shown is not worth stopping for.
            let _ = io::stdout().flush();
        }
    }

    /// An answer; the end of the input is none.
    pub(super) fn ask(&self, question: &str) -> Result<String, String> {
        self.part(question);
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) => {
                self.part("\n");
                Err(String::from("*** The input ended before the question was answered."))
            }
            Ok(_) => Ok(line.trim().to_string()),
            Err(error) => Err(format!("*** The answer cannot be read: {error}")),
        }
    }

    /// Whether the operator says yes; the option says it beforehand.
    pub(super) fn confirm(&self, question: &str) -> Result<bool, String> {
        if self.manner.yes {
            return Ok(true);
        }
        Ok(self.ask(question)? == "yes")
    }

    /// As [`Talk::confirm`], in the words that most questions end with.
    pub(super) fn accept(&self, question: &str) -> Result<bool, String> {
        self.confirm(&format!("{question} (type 'yes' to accept): "))
    }
}
