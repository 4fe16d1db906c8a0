//! From the arguments of redis-server to the settings: files, standard input, flags.

use node::config::{self, Config};
use std::io::Read;
use std::path::Path;

/// The settings, and what they were read from.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Standard input was read: nobody can read it again.
    pub(crate) from_stdin: bool,
}

/// The settings from a file, if one is named, from standard input, if `-` asks for it, and from
/// the directives behind.
pub(crate) fn read(args: &[String]) -> Result<Settings, String> {
    let mut text = String::new();
    let mut path = String::new();
    let mut rest = args;
    if let Some((file, behind)) = args.split_first()
        && !file.starts_with('-')
    {
        text = read_file(file)?;
        path = std::path::absolute(file)
            .map_or_else(|_| file.clone(), |path| path.to_string_lossy().into_owned());
        rest = behind;
    }
    let from_stdin = rest.last().is_some_and(|last| last == "-");
    if from_stdin {
        rest = &rest[..rest.len() - 1];
        text.push('\n');
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("Fatal error, can't read standard input: {error}"))?;
    }
    // An empty line before the flags keeps the numbers of lines as Redis counts them.
    text.push('\n');
    text.push_str(&config::lines_of_arguments(rest));
    let mut config = config::read(&text, &mut included)?;
    config.process.file = path;
    Ok(Settings { config, from_stdin })
}

fn read_file(file: &str) -> Result<String, String> {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    match std::fs::read(&path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            let why = error.to_string();
            let why = why.split(" (os error").next().unwrap_or_default();
            Err(format!("Fatal error, can't open config file '{}': {why}", path.display()))
        }
    }
}

/// The files that an `include` means, by name; a pattern without a match means none.
fn included(pattern: &str) -> Result<Vec<String>, String> {
    let path = Path::new(pattern);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name.filter(|name| name.contains(['*', '?', '['])) else {
        return Ok(vec![read_file(pattern)?]);
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<String> = entries
        .flatten()
        .filter(|entry| {
            let entry = entry.file_name();
            wire::glob::matches(name.as_bytes(), entry.to_string_lossy().as_bytes())
        })
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect();
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}
