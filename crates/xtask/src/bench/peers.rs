//! Where the programs to measure are found, and how they are built if they are not.
//!
//! The strongest peer is built from Debian's source package and kept in the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::options::Options;
use super::server::Program;

const BUILD_VALKEY: &str = include_str!("peers.sh");

/// Ours first, then the peers that are there, then the floor.
pub(crate) fn programs(options: &Options) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    if !options.peers_only {
        programs.push(ours(options)?);
    }
    match valkey(options)? {
        Some(path) => programs.push(Program::like_redis("valkey", path, None)),
        None => eprintln!("no Valkey here: --build-peers builds it, --valkey names it"),
    }
    match on_path("redis-server") {
        Some(path) => programs.push(Program::like_redis("redis", path, None)),
        None => eprintln!("no redis-server on the PATH"),
    }
    if let Some(line) = &options.floor {
        let command: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        if command.is_empty() {
            bail!("--floor is empty");
        }
        programs.push(Program { name: "floor".into(), command, environment: Vec::new() });
    }
    Ok(programs)
}

/// Our own server: the one named, or the release build of this tree.
pub(crate) fn ours(options: &Options) -> Result<Program> {
    let path = match &options.ours {
        Some(path) => path.canonicalize().with_context(|| format!("{}", path.display()))?,
        None => build_ours()?,
    };
    Ok(Program::like_redis("holdfast", path, Some("server")))
}

fn build_ours() -> Result<PathBuf> {
    let mut cargo = Command::new(crate::tree::cargo());
    cargo.current_dir(crate::tree::root()).args(["build", "--release", "-p", "holdfast"]);
    if !cargo.status().context("starting cargo")?.success() {
        bail!("holdfast does not build; --ours PATH measures another one");
    }
    Ok(crate::tree::target_folder().join("release/holdfast"))
}

fn valkey(options: &Options) -> Result<Option<PathBuf>> {
    if let Some(path) = &options.valkey {
        return Ok(Some(path.canonicalize().with_context(|| format!("{}", path.display()))?));
    }
    cached_valkey(options.build_peers)
}

/// The Valkey that was built here, or is now if `build` says so.
pub(crate) fn cached_valkey(build: bool) -> Result<Option<PathBuf>> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let cache = Path::new(&home).join(".cache/holdfast-peers");
    let path = cache.join("valkey/valkey-server");
    if !path.exists() && build {
        eprintln!("building Valkey in {}", cache.display());
        let status = Command::new("bash").args(["-c", BUILD_VALKEY, "peers"]).arg(&cache).status();
        if !status?.success() {
            bail!("Valkey does not build");
        }
    }
    Ok(path.exists().then_some(path))
}

/// A program that the shell would find.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
