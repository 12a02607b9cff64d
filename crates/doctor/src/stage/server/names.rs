//! Names that give away who answers in the server's place.

use gridmq_tls::Certificate;

/// Words in the names of authorities that inspect TLS, and the product.
const INTERCEPTORS: [(&str, &str); 22] = [
    ("zscaler", "Zscaler"),
    ("netskope", "Netskope"),
    ("fortinet", "Fortinet"),
    ("fortigate", "Fortinet"),
    ("palo alto networks", "Palo Alto Networks"),
    ("blue coat", "Blue Coat"),
    ("bluecoat", "Blue Coat"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("sophos", "Sophos"),
    ("check point", "Check Point"),
    ("forcepoint", "Forcepoint"),
    ("websense", "Forcepoint"),
    ("mcafee web gateway", "McAfee"),
    ("barracuda", "Barracuda"),
    ("kaspersky", "Kaspersky"),
    ("eset ssl filter", "ESET"),
    ("avast", "Avast"),
    ("bitdefender", "Bitdefender"),
    ("mitmproxy", "mitmproxy"),
    ("portswigger", "Burp"),
    ("charles proxy", "Charles"),
    ("fiddler", "Fiddler"),
];

/// Words in the names of portals of guest networks.
const PORTALS: [&str; 8] =
    ["captive", "portal", "hotspot", "guest-wifi", "guestwifi", "wifi-login", "wlan-login", "login.wifi"];

/// The product that seems to have issued the chain.
pub(super) fn interceptor(chain: &[Certificate]) -> Option<String> {
    let issuers = chain.iter().map(|certificate| certificate.issuer().to_string().to_lowercase());
    let mut found = issuers.filter_map(|issuer| {
        let (_, product) = INTERCEPTORS.iter().find(|(word, _)| issuer.contains(word))?;
        Some((*product).to_owned())
    });
    found.next().or_else(|| {
        let last = chain.last()?.issuer().to_string().to_lowercase();
        let generic = ["ssl inspection", "tls inspection", "ssl-inspection", "decryption ca", "proxy ca"];
        generic.iter().any(|word| last.contains(word)).then(|| "a TLS-inspecting proxy".to_owned())
    })
}

/// The name of a portal that the leaf is for.
pub(super) fn portal(leaf: &Certificate) -> Option<String> {
    let names = leaf.alternative_names().dns.iter().cloned();
    let subject = leaf.subject().common_name().map(str::to_owned);
    names.chain(subject).find(|name| {
        let lower = name.to_lowercase();
        PORTALS.iter().any(|word| lower.contains(word))
    })
}
