//! Messages of EST: certificates, CSR attributes and requests, in base64 and in DER, and the time to wait.
#![no_main]

use gridmq_tls::est::{CsrAttributes, certs_only, read_certs_only, read_request, retry_after};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificates) = read_certs_only(data) {
        assert_eq!(read_certs_only(certs_only(&certificates).as_bytes()).ok(), Some(certificates));
    }
    if let Ok(attributes) = CsrAttributes::from_body(data) {
        let _ = attributes.key_type();
        let _ = CsrAttributes::from_body(attributes.body().as_bytes());
    }
    let _ = read_request(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = retry_after(text, 0);
    }
});
