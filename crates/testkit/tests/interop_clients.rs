//! Six clients of others' making go through one script (`real_clients/script.rs`), over every transport and in every
//! version that they have.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each suite uses a part of the shared module"
)]

mod real_clients;

macro_rules! client {
    ($module:ident, $kind:ident, $($test:ident: $transport:ident $version:literal),+ $(,)?) => {
        mod $module {
            use crate::real_clients::driven::Kind;
            use crate::real_clients::script::{Transport, run};
            $(
                #[test]
                #[ignore = "needs the clients of others; run by cargo xtask test"]
                fn $test() {
                    run(Kind::$kind, Transport::$transport, $version);
                }
            )+
        }
    };
}

macro_rules! all {
    ($module:ident, $kind:ident) => {
        client!($module, $kind,
            tcp_3_1_1: Tcp "3",
            tcp_5: Tcp "5",
            tls_3_1_1: Tls "3",
            tls_5: Tls "5",
            websocket_3_1_1: WebSocket "3",
            websocket_5: WebSocket "5",
            secure_websocket_3_1_1: SecureWebSocket "3",
            secure_websocket_5: SecureWebSocket "5",
        );
    };
}

all!(paho_python, Paho);
all!(mqttjs, MqttJs);
all!(paho_c, PahoC);
all!(awscrt, Awscrt);
all!(rumqttc, Rumqttc);
client!(mosquitto, Mosquitto,
    tcp_3_1_1: Tcp "3",
    tcp_5: Tcp "5",
    tls_3_1_1: Tls "3",
    tls_5: Tls "5",
);

#[test]
fn the_page_tells_what_is_run() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/interoperation.md");
    let table = real_clients::script::table();
    assert!(std::fs::read_to_string(page).unwrap().contains(&table), "docs/interoperation.md must have:\n{table}");
}
