//! Builds a peer with the version of the client that it measures, as Cargo.lock has it: the page then names what ran.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let lock = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let package = std::env::var("CARGO_PKG_NAME")?;
    let client = match package.as_str() {
        "peer-gridmq" => "gridmq-client",
        "peer-rumqttc" => "rumqttc",
        other => return Err(format!("{other} measures no client that is known here").into()),
    };
    let text = std::fs::read_to_string(&lock)?;
    let (_, entry) =
        text.split_once(&format!("name = \"{client}\"\nversion = \"")).ok_or("the client is not locked")?;
    let version = entry.split('"').next().unwrap_or_default();
    println!("cargo::rustc-env=CLIENT_VERSION={version}");
    Ok(())
}
