//! How a bridge reaches another broker.

use gridmq_client::Options;
use gridmq_client::env::Settings as EnvFile;
use gridmq_tls::source::Source;

use super::fresh::Files;
use super::identity::IdentityOptions;
use super::trust::TrustOptions;
use crate::config::Bridge;
use crate::error::Failure;

/// Reads every file that is named. To be called inside a runtime, since certificates are watched.
pub(crate) fn options(bridge: &Bridge) -> Result<Options, Failure> {
    let mut options = if bridge.is_event_grid() {
        Options::event_grid(&bridge.url).address(&bridge.url)
    } else {
        Options::new(&bridge.url)
    };
    options = options.keep_alive(bridge.keep_alive.0);
    if let Some(name) = &bridge.username {
        options = options.username(name.as_str());
    } else if bridge.is_event_grid() && bridge.cert.is_some() {
        options = options.alternative_name_source();
    }
    if let Some(path) = &bridge.password_file {
        options = options.password(super::password(path)?);
    }
    if !["mqtts://", "wss://"].iter().any(|scheme| bridge.url.starts_with(scheme)) {
        return Ok(options);
    }
    let none = EnvFile::default();
    let trust = TrustOptions { cafile: bridge.ca.iter().cloned().collect(), ..TrustOptions::default() };
    options = options.trust(trust.load(&none, crate::utc::now())?);
    let file = |path: &Option<std::path::PathBuf>| path.clone().map(Source::File);
    let ours = IdentityOptions { cert: file(&bridge.cert), key: file(&bridge.key), ..IdentityOptions::default() };
    let Some(loader) = ours.loader(&none)? else { return Ok(options) };
    let identity = ours.load_by(&loader, &none)?;
    Ok(match Files::of(&ours, &none).watched(loader)? {
        Some(changing) => options.credentials(changing),
        None => options.identity(identity),
    })
}
