use super::*;

fn parse(text: &str) -> Result<Settings, EnvError> {
    text::lines(text, Path::new("/scenario")).map_err(|slip| slip.in_file(Path::new("file.env")))
}

#[test]
fn a_file_of_the_samples_is_read() {
    let text = "\u{feff}# vehicle01\r\nMQTT_HOST_NAME=\"example.ts.eventgrid.azure.net\"\r\nMQTT_TCP_PORT=8883\r\n\
        MQTT_USERNAME=vehicle01\nexport MQTT_CLIENT_ID='vehicle01'\nMQTT_CERT_FILE=vehicle01.pem\n\
        MQTT_KEY_FILE=/keys/vehicle01.key\nMQTT_KEY_FILE_PASSWORD=\nMQTT_CLEAN_SESSION=False\n\
        MQTT_PASSWORD=a=b\nAZURE_TENANT_ID=x\n";
    let expected = Settings {
        host: Some("example.ts.eventgrid.azure.net".to_owned()),
        port: Some(8883),
        clean_session: Some(false),
        client_id: Some("vehicle01".to_owned()),
        username: Some("vehicle01".to_owned()),
        password: Some("a=b".to_owned().into()),
        cert_file: Some("/scenario/vehicle01.pem".into()),
        key_file: Some("/keys/vehicle01.key".into()),
        ..Settings::default()
    };
    assert_eq!(parse(text).unwrap(), expected);
}

#[test]
fn slips_are_named_by_line() {
    for (text, expected) in [
        ("\nMQTT_TCP_PORT=70000", 2),
        ("MQTT_TCP_PORT=0", 1),
        ("MQTT_USE_TLS=yes", 1),
        ("# x\n\nMQTT_KEEP_ALIVE_IN_SECONDS=-1", 3),
        ("MQTT_HOSTNAME=a", 1),
    ] {
        match parse(text).unwrap_err() {
            EnvError::Value { file: Some((_, line)), .. } | EnvError::Unknown { file: Some((_, line)), .. } => {
                assert_eq!(line, expected, "{text}");
            }
            other => panic!("{other}"),
        }
    }
    assert!(matches!(parse("MQTT_HOST_NAME"), Err(EnvError::Line { line: 1, .. })));
}

#[test]
fn a_connection_string_says_the_same_as_variables() {
    let text = "HostName=host; tcpport=1884;UseTls=false;ClientId=c;Password=a=b;;SessionExpiry=PT1H;KeepAlive=PT30S";
    let variables = [
        ("MQTT_HOST_NAME", "host"),
        ("MQTT_TCP_PORT", "1884"),
        ("MQTT_USE_TLS", "false"),
        ("MQTT_CLIENT_ID", "c"),
        ("MQTT_PASSWORD", "a=b"),
        ("MQTT_SESSION_EXPIRY", "3600"),
        ("MQTT_KEEP_ALIVE_IN_SECONDS", "30"),
        // Somebody else's.
        ("MQTT_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    assert_eq!(Settings::from_connection_string(text).unwrap(), Settings::from_vars(variables).unwrap());
    let refused = |text| Settings::from_connection_string(text).unwrap_err();
    assert!(matches!(refused("HostName=a;HOSTNAME=b"), EnvError::Twice { .. }));
    assert!(matches!(refused("HostName=a;KeepAlive=1;KeepAliveInSeconds=1"), EnvError::Twice { .. }));
    assert!(matches!(refused("HostName=a;Host"), EnvError::Part { part: 2 }));
    assert!(matches!(refused("HostName=a;SatAuthFile=b"), EnvError::UnknownPart { part: 2, .. }));
    let error = refused("HostName=a;Password=tell;tale=x");
    assert!(matches!(error, EnvError::UnknownPart { part: 3, .. }) && !format!("{error} {error:?}").contains("tale"));
}

#[test]
fn times_are_seconds_or_durations() {
    let read = |value: &str| {
        let text = format!("SessionExpiry={value}");
        Settings::from_connection_string(&text).ok().and_then(|settings| settings.session_expiry).map(|t| t.as_secs())
    };
    for (text, seconds) in
        [("0", 0), ("90", 90), ("PT90S", 90), ("PT1H30M5S", 5405), ("P1DT1S", 86_401), ("P2W", 1_209_600)]
    {
        assert_eq!(read(text), Some(seconds), "{text}");
    }
    for text in ["P", "PT", "1h", "PT1", "PT1S1M", "PT1.5S", "-1", "P1M", "P1TS", "PT99999999999999999999H"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let settings =
        Settings::from_connection_string("HostName=h;Username=opensesame;Password=hunter2;KeyFilePassword=swordfish")
            .unwrap();
    let shown = format!("{settings:?}");
    assert!(!["hunter2", "swordfish", "opensesame"].iter().any(|secret| shown.contains(secret)), "{shown}");
}
