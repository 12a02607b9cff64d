//! Where everything is.

use serde_json::{Value as Json, json};

/// What `az cloud register` reads. With this ending MSAL takes the authority for AD FS, and asks nobody else about it.
const AUTHORITY: &str = "adfs";

/// The endpoints of this cloud; before 2022 they came in a list.
pub(super) fn endpoints(base: &str, version: &str) -> Json {
    let cloud = json!({
        "name": "GridMQ",
        "authentication": {
            "loginEndpoint": format!("{base}/{AUTHORITY}"),
            "audiences": [format!("{base}/")],
            "identityProvider": "AAD",
            "tenant": "common",
        },
        "resourceManager": base,
        "portal": base,
        "graphAudience": format!("{base}/"),
        "graph": base,
        "microsoftGraphResourceId": format!("{base}/"),
        "media": base,
        "gallery": base,
        "batch": base,
        "suffixes": { "storage": "localhost", "keyVaultDns": "localhost" },
    });
    if version < "2022" { json!([cloud]) } else { cloud }
}

/// OpenID Connect Discovery 1.0, of an authority such as `/adfs` or a tenant's.
pub(super) fn openid(base: &str, authority: &str) -> Json {
    let issuer = format!("{base}{authority}");
    let token = if authority.ends_with(AUTHORITY) { "oauth2/token" } else { "oauth2/v2.0/token" };
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/{token}"),
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "device_authorization_endpoint": format!("{issuer}/oauth2/devicecode"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256"],
    })
}
