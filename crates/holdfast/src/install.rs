//! `holdfast install`: a folder with the names of Redis's programs, and files to start from.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where to install
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder that gets bin/ and share/
    #[arg(long, value_name = "FOLDER")]
    prefix: PathBuf,
}

/// The names that this binary answers to. Those that are not built say so.
const NAMES: [&str; 10] = [
    "create-cluster",
    "nutcracker",
    "redis-benchmark",
    "redis-check-aof",
    "redis-check-rdb",
    "redis-cli",
    "redis-sentinel",
    "redis-server",
    "redis-trib",
    "redis-trib.rb",
];

/// Programs of Redis and twemproxy whose parts are not built.
const UNBUILT: [&str; 4] = ["nutcracker", "redis-check-aof", "redis-check-rdb", "redis-sentinel"];

const SHARE: [(&str, &str); 5] = [
    ("redis.conf", include_str!("share/redis.conf")),
    ("sentinel.conf", include_str!("share/sentinel.conf")),
    ("nutcracker.yml", include_str!("share/nutcracker.yml")),
    ("nutcracker.init", include_str!("share/nutcracker.init")),
    ("README", include_str!("share/README")),
];

/// What a program that is not built has to say, if this is one.
pub(crate) fn unbuilt(program: &str) -> Option<String> {
    let known = UNBUILT.contains(&program);
    known.then(|| format!("{program} is not built yet: Holdfast has no part of that kind so far"))
}

/// Copies this binary and lays the names and files beside it. Files that stand there already with
/// other content are kept: somebody has edited them.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let (bin, share) = (options.prefix.join("bin"), options.prefix.join("share"));
    for folder in [&bin, &share] {
        fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
    }
    let program = bin.join("holdfast");
    let fresh = bin.join(".holdfast.new");
    // A running program cannot be written to, but its name can be given to another file.
    let ours = std::env::current_exe().map_err(|error| error.to_string())?;
    fs::copy(ours, &fresh).map_err(|error| named(&fresh, &error))?;
    fs::rename(&fresh, &program).map_err(|error| named(&program, &error))?;
    for name in NAMES {
        let link = bin.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(named(&link, &error));
            }
            _ => symlink("holdfast", &link).map_err(|error| named(&link, &error))?,
        }
    }
    for (name, text) in SHARE {
        let path = share.join(name);
        match fs::read(&path) {
            Ok(old) if old != text.as_bytes() => println!("kept {}", path.display()),
            _ => fs::write(&path, text).map_err(|error| named(&path, &error))?,
        }
    }
    println!("Installed in {}: add {} to PATH.", options.prefix.display(), bin.display());
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
