//! Tells the crate whether the demo page has been built (`cfg(demo_built)`), and Cargo what to watch for that.

use std::env;
use std::path::PathBuf;

fn main() {
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = source.join("dist");
    let built = dist.join("index.html").is_file();

    println!("cargo::rustc-check-cfg=cfg(demo_built)");
    if built {
        println!("cargo::rustc-cfg=demo_built");
    }
    // Cargo runs this again on every build while a watched path is missing, so until there is a `dist` its parent is
    // watched for it.
    let watched = if built { dist } else { source.clone() };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed={}", source.join("embed").display());
}
