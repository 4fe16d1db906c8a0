//! Where things are: the source tree, its build folder, the Cargo that runs us.
//!
//! Tasks work from any folder inside the tree.

use std::ffi::OsString;
use std::path::PathBuf;

/// The root of the source tree: the one Cargo runs us for. The one we were compiled in may be
/// another, where several trees share a build folder.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.ancestors().nth(2).expect("xtask is two folders below the root").to_path_buf()
}

/// Where Cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The Cargo that runs this task.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
